//! Package managers of programming languages. Those that build as well fetch what a build needs: to build is to do
//! something.

use super::super::name::{By, Name};
use super::super::options::Options;
use super::{Manager, Style, but, either, manager};

/// A script whose content a witness knows.
const fn script(name: &'static str, source: &'static str) -> Name {
    Name::of(name, source).by(By::NameUnlessScript)
}

const PIP: Options = Options {
    flags: "vqUIn",
    valued: "rcetfdbipCw",
    long_flags: "isolated require-virtualenv verbose quiet no-input no-cache-dir disable-pip-version-check no-color \
        no-python-version-warning debug user upgrade force-reinstall ignore-installed no-deps pre no-index \
        no-build-isolation break-system-packages require-hashes no-binary-all prefer-binary compile no-compile \
        no-warn-script-location outdated uptodate editable local yes all files no-clean ignore-requires-python \
        no-warn-conflicts use-pep517",
    long_valued: "python log log-file local-log keyring-provider proxy retries resume-retries timeout default-timeout \
        exists-action trusted-host cert client-cert cache-dir use-feature use-deprecated requirement constraint \
        target platform python-version implementation abi root prefix src upgrade-strategy index-url \
        extra-index-url pypi-url find-links no-binary only-binary format path exclude report config-settings \
        global-option progress-bar root-user-action build-constraint group",
};

const NPM: Options = Options {
    flags: "gdsqySDEOPBnfaplv",
    valued: "Cw",
    long_flags: "global silent quiet verbose yes no force offline prefer-offline production save save-dev no-save \
        no-audit no-fund no-color ignore-scripts legacy-peer-deps json long all parseable workspaces \
        include-workspace-root recursive frozen-lockfile no-progress no-update-notifier package-lock-only \
        no-package-lock no-optional no-bin-links",
    long_valued: "prefix loglevel registry userconfig globalconfig cache workspace omit include only depth tag scope otp \
        node-options dir filter cwd fetch-retries fetch-timeout before install-strategy script-shell access \
        store-dir reporter modules-folder cache-folder",
};

const NODE_ASKS: &str = "access bin bugs config c completion diff docs doctor explain find-dupes fund get help help-search info \
    la licenses list ll ls org outdated owner ping pkg prefix profile query root sbom search show store team \
    token v view version versions whoami why global:list global:dir global:bin";

const CONDA: Options = Options {
    flags: "vqydCk",
    valued: "npcr",
    long_flags: "verbose quiet yes json offline all envs base override-channels no-pin",
    long_valued: "name prefix channel root-prefix rc-file log-level file solver platform",
};

const CARGO: Options = Options {
    flags: "vqhVl",
    valued: "CZ",
    long_flags: "verbose quiet locked offline frozen list",
    long_valued: "config color explain manifest-path",
};

const UV: Options = Options {
    flags: "nqv",
    valued: "",
    long_flags: "no-cache quiet verbose offline native-tls no-progress no-config no-python-downloads no-managed-python \
        managed-python",
    long_valued: "cache-dir color directory project config-file python-preference allow-insecure-host python-fetch",
};

pub(super) const MANAGERS: &[Manager] = &[
    // Python.
    Manager {
        options: PIP,
        dry: "dry-run help h",
        ..manager(
            &[
                // Also `pip3.11`, and `python3 -m pip`; see `interpreters.rs`.
                Name::versioned("pip", "python3-pip").by(By::NameUnlessScript),
            ],
            but("cache check completion config debug freeze hash help index inspect list search show"),
        )
    },
    manager(
        &[
            Name::versioned("easy_install", "python3-setuptools (until 51)").by(By::NameUnlessScript),
            script("pip-sync", "pip-tools (PyPI)"),
        ],
        Style::Always { bare: false },
    ),
    Manager {
        options: UV,
        dry: "dry-run help h",
        ..manager(
            &[Name::of("uv", "uv (PyPI)").by(By::Content)],
            either(
                "add build init lock pip publish python remove run self sync tool venv x",
                "auth cache export format help pip:check pip:compile pip:freeze pip:list pip:show pip:tree \
                    python:dir python:find python:list self:version tool:dir tool:list tree version \
                    generate-shell-completion",
            ),
        )
    },
    Manager {
        options: UV,
        ..manager(
            &[Name::of("uvx", "uv (PyPI)").by(By::Content)],
            Style::Always { bare: false },
        )
    },
    manager(
        &[
            script("pipx", "pipx"),
            script("pipenv", "pipenv (PyPI)"),
            script("poetry", "python3-poetry"),
            script("pdm", "pdm (PyPI)"),
            script("hatch", "hatch (PyPI)"),
            script("rye", "rye (upstream)"),
        ],
        Style::Commands {
            asks: "about check config completions env:info env:list environment fix graph help info list search \
                show verify version env:show dep:show project:metadata source:show ensurepath toolchain:list",
            does: None,
            bare: false,
        },
    ),
    Manager {
        options: CONDA,
        dry: "d dry-run help h",
        ..manager(
            &[
                script("conda", "conda (Anaconda)"),
                script("mamba", "mamba (conda-forge)"),
                Name::of("micromamba", "micromamba (conda-forge)"),
                Name::of("pixi", "pixi (conda-forge)"),
            ],
            but(
                "activate compare completion config deactivate env:config env:export env:list export help info \
                list notices repoquery search shell-hook tree version workspace:list global:list package-info",
            ),
        )
    },
    // Node.
    Manager {
        options: NPM,
        dry: "dry-run help h",
        asks: "h help v version ?",
        ..manager(
            &[
                script("npm", "npm"),
                script("npm-cli.js", "npm"),
                script("cnpm", "cnpm (npm)"),
            ],
            but(NODE_ASKS),
        )
    },
    Manager {
        options: NPM,
        asks: "h help v version",
        ..manager(
            &[script("pnpm", "pnpm (npm)"), script("pnpm.cjs", "pnpm (npm)")],
            but(NODE_ASKS),
        )
    },
    Manager {
        options: NPM,
        asks: "h help v version",
        ..manager(
            &[
                script("yarn", "yarnpkg; yarn (npm)"),
                script("yarnpkg", "yarnpkg"),
                script("yarn.js", "yarnpkg"),
            ],
            Style::Commands {
                asks: NODE_ASKS,
                does: None,
                bare: true,
            },
        )
    },
    Manager {
        options: Options {
            flags: "yq",
            valued: "p",
            long_flags: "yes no quiet no-install ignore-existing bun prefer-offline",
            long_valued: "package cache userconfig registry",
        },
        asks: "h help v version",
        ..manager(
            &[
                script("npx", "npm"),
                script("npx-cli.js", "npm"),
                script("pnpx", "pnpm (npm)"),
                script("pnpx.cjs", "pnpm (npm)"),
                script("pnx", "pnpm (npm)"),
                Name::of("bunx", "bun (npm)").by(By::Content),
            ],
            Style::Always { bare: false },
        )
    },
    manager(
        &[
            script("corepack", "nodejs (until 24)"),
            script("corepack.js", "corepack (npm)"),
            script("ni", "@antfu/ni (npm)"),
        ],
        but("disable help"),
    ),
    Manager {
        options: NPM,
        dry: "dry-run help",
        asks: "h help v version revision",
        ..manager(
            &[Name::of("bun", "bun (npm)").by(By::Content)],
            either(
                "a add c create i init install link remove rm unlink update upgrade x patch pm:cache:rm \
                    pm:trust pm:migrate",
                "audit build exec help info outdated pm run test why",
            ),
        )
    },
    manager(
        &[Name::of("deno", "deno (npm)").by(By::Content)],
        either(
            "add cache i install remove rm uninstall upgrade x update approve-scripts",
            "completions doc eval help info outdated run serve task test types why",
        ),
    ),
    manager(
        &[
            script("bower", "bower (npm)"),
            script("jspm", "jspm (npm)"),
            script("volta", "volta (upstream)"),
        ],
        but("help info list lookup search version which"),
    ),
    // Ruby.
    manager(
        &[Name::versioned("gem", "ruby: gem, gem3.1").by(By::NameUnlessScript)],
        but(
            "check contents dependency environment env help info list outdated owner query rdoc search sources \
            specification stale which",
        ),
    ),
    manager(
        &[
            Name::versioned("bundle", "ruby-bundler").by(By::NameUnlessScript),
            Name::versioned("bundler", "ruby-bundler").by(By::NameUnlessScript),
        ],
        Style::Commands {
            // `exec` only starts what is there, and its start is seen.
            asks: "check config doctor env exec help info issue licenses list open outdated platform show \
                    version viz e",
            does: None,
            bare: true,
        },
    ),
    // PHP.
    Manager {
        dry: "dry-run help h",
        options: Options {
            flags: "qvn",
            valued: "d",
            long_flags: "quiet no-interaction no-plugins no-scripts no-cache ansi no-ansi profile",
            long_valued: "working-dir",
        },
        ..manager(
            &[
                script("composer", "composer"),
                script("composer.phar", "upstream: composer"),
            ],
            but(
                "about archive audit browse check-platform-reqs completion config depends diagnose fund help home \
                info licenses list outdated prohibits search show status suggests validate why why-not",
            ),
        )
    },
    manager(
        &[
            script("pecl", "php-pear"),
            script("pear", "php-pear"),
            Name::of("phive", "upstream: phive"),
            script("pickle", "upstream: pickle"),
        ],
        but(
            "config-get config-help config-show help info list list-all list-channels list-files list-upgrades \
            remote-info remote-list search version",
        ),
    ),
    // Rust.
    Manager {
        options: CARGO,
        dry: "dry-run help h",
        asks: "h help V version list explain",
        ..manager(
            &[Name::of("cargo", "cargo").by(By::Content)],
            either(
                "add b bench binstall build c check clippy d doc fetch fix generate-lockfile init install \
                    miri new nextest package publish r remove rm run rustc rustdoc t test uninstall update \
                    vendor",
                "clean config fmt help info locate-project metadata owner pkgid read-manifest report search \
                    tree verify-project version login logout",
            ),
        )
    },
    manager(
        &[
            Name::of("rustup", "rustup"),
            Name::of("rustup-init", "rustup"),
            Name::of("cargo-binstall", "Rust crate"),
            Name::of("cargo-install-update", "Rust crate"),
        ],
        Style::Commands {
            asks: "check completions component:list doc help man show target:list toolchain:list version which \
                override:list",
            does: None,
            bare: false,
        },
    ),
    // Go.
    Manager {
        options: Options {
            valued: "C",
            ..Options::NONE
        },
        asks: "h help",
        dry: "",
        ..manager(
            &[Name::versioned("go", "golang-go").by(By::Content)],
            either(
                "build generate get install mod run test vet work",
                "bug clean doc env fix fmt help list mod:graph mod:verify mod:why telemetry tool version",
            ),
        )
    },
    // Perl.
    Manager {
        asks: "h help v version A D L O l",
        ..manager(
            &[
                Name::versioned("cpan", "perl"),
                Name::of("cpanp", "libcpanplus-perl"),
            ],
            // Without arguments it asks what to install.
            Style::Always { bare: true },
        )
    },
    manager(
        &[
            Name::of("cpanm", "cpanminus"),
            Name::of("cpm", "App::cpm (CPAN)"),
            Name::of("carton", "carton"),
        ],
        Style::Commands {
            asks: "help show list tree version",
            does: None,
            bare: false,
        },
    ),
    // Lua.
    manager(
        &[
            Name::versioned("luarocks", "luarocks"),
            Name::versioned("luarocks-admin", "luarocks"),
        ],
        but("config doc help lint list path search show which"),
    ),
    // Java: they resolve and fetch what a build needs, each time they run.
    Manager {
        // `-V` shows the version and goes on.
        asks: "h help v version",
        ..manager(
            &[
                Name::of("mvn", "maven (a shell script)"),
                Name::of("mvnd", "maven-daemon"),
                Name::of("mvnw", "maven wrapper"),
                Name::of("gradle", "gradle (a shell script)"),
                Name::of("gradlew", "gradle wrapper"),
                Name::of("sbt", "upstream: sbt"),
                Name::of("lein", "leiningen"),
                Name::of("ivy", "ivy"),
                Name::of("cs", "coursier"),
                Name::of("coursier", "coursier"),
                Name::of("jbang", "jbang"),
            ],
            Style::Commands {
                asks: "help version list info",
                does: None,
                bare: true,
            },
        )
    },
    // OCaml, Haskell.
    Manager {
        dry: "dry-run show-actions help",
        ..manager(
            &[Name::of("opam", "opam")],
            but("config env exec help info lint list search show switch:list switch:show tree var why"),
        )
    },
    manager(
        &[
            Name::of("cabal", "cabal-install"),
            Name::of("ghcup", "upstream: ghcup"),
        ],
        but("help info list list-bin path status whereis"),
    ),
    manager(
        &[Name::of("stack", "haskell-stack").by(By::Content)],
        either(
            "bench build exec ghc ghci haddock init install new run runghc script setup test unpack update \
                upgrade",
            "dot help list ls path query templates",
        ),
    ),
    // .NET: `dotnet app.dll` is how a program is run.
    manager(
        &[Name::of("dotnet", "dotnet-sdk (Microsoft)")],
        either(
            "add build clean msbuild new nuget pack package publish restore run test tool workload watch dnx",
            "help list nuget:locals nuget:list nuget:verify package:list package:search sln tool:list \
                tool:search workload:list workload:search",
        ),
    ),
    manager(
        &[
            Name::of("nuget", "nuget"),
            Name::of("paket", "upstream: paket"),
            Name::of("dnx", "dotnet-sdk"),
        ],
        but("help list locals search sources verify config"),
    ),
    // Others.
    manager(
        &[
            Name::of("nimble", "nim"),
            Name::of("dub", "dub"),
            Name::of("shards", "crystal"),
            Name::of("raco", "racket"),
            Name::of("zef", "Rakudo: zef"),
            Name::of("mix", "elixir"),
            Name::of("rebar3", "rebar3"),
            Name::of("vcpkg", "Microsoft: vcpkg"),
            Name::of("conan", "conan (PyPI)"),
            Name::of("akku", "Scheme: akku"),
            Name::of("install2.r", "littler"),
            Name::of("tlmgr", "texlive-base"),
            Name::of("quicklisp", "cl-quicklisp"),
        ],
        but("help info list search show version inspect profile dump path"),
    ),
    manager(
        &[Name::of("ansible-galaxy", "ansible-core")],
        either(
            "collection:install role:install install pull plugin:install upgrade repo:add repo:update \
                dependency:update dependency:build",
            "help list search show version collection:list role:list info env status",
        ),
    ),
];
