//! Package managers of operating systems.

use super::super::name::{By, Name};
use super::super::options::Options;
use super::{Manager, Style, but, either, manager, modes};

const APT: Options = Options {
    flags: "hvqydsmfFubVU",
    valued: "octaPt",
    long_flags: "quiet yes assume-yes assume-no no-download download-only fix-broken ignore-missing fix-missing purge \
        reinstall no-install-recommends install-recommends install-suggests no-install-suggests \
        allow-unauthenticated allow-downgrades allow-remove-essential allow-change-held-packages \
        allow-insecure-repositories no-upgrade only-upgrade auto-remove autoremove show-progress with-new-pkgs \
        verbose-versions installed upgradable all-versions no-remove force-yes trivial-only list-cleanup update \
        no-pager",
    long_valued: "option config-file target-release default-release host-architecture build-profiles solver planner \
        error-on with-source",
};

/// With these, apt only says what it would do.
const APT_DRY: &str = "s simulate just-print dry-run recon no-act print-uris help h";

const DNF: Options = Options {
    flags: "hCqyvb",
    valued: "cdeRx",
    long_flags: "quiet verbose assumeyes best nobest nogpgcheck no-gpgchecks refresh allowerasing skip-broken cacheonly \
        noplugins nodocs installed available all downloadonly",
    long_valued: "config debuglevel errorlevel rpmverbosity installroot releasever setopt enablerepo disablerepo repo \
        repoid exclude excludepkgs disableexcludes enableplugin disableplugin forcearch advisory comment destdir \
        downloaddir repofrompath color queryformat qf",
};

pub(super) const MANAGERS: &[Manager] = &[
    // Debian.
    Manager {
        options: APT,
        dry: APT_DRY,
        asks: "h help v version",
        ..manager(
            &[Name::of("apt", "apt")],
            but("changelog depends help list policy rdepends search show showsrc version why why-not"),
        )
    },
    Manager {
        options: APT,
        dry: APT_DRY,
        asks: "h help v version",
        ..manager(
            &[Name::of("apt-get", "apt")],
            but("changelog check help indextargets moo"),
        )
    },
    Manager {
        options: Options {
            flags: "hvqydsmfFubVUDZ",
            valued: "octaPtw",
            ..APT
        },
        dry: APT_DRY,
        ..manager(
            &[
                Name::of("aptitude", "aptitude"),
                Name::of("aptitude-curses", "aptitude"),
            ],
            Style::Commands {
                asks: "changelog help search show showsrc versions why why-not",
                does: None,
                // Its screen installs what is chosen on it.
                bare: true,
            },
        )
    },
    Manager {
        asks: "h help version ?",
        dry: "no-act dry-run simulate",
        options: Options {
            flags: "BEGOR",
            valued: "Da",
            long_flags: "no-pager auto-deconfigure skip-same-version refuse-downgrade selected-only recursive no-debsig \
                no-triggers triggers abort-after robot no-also-select",
            long_valued: "admindir root instdir debug log status-fd status-logger path-exclude path-include ignore-depends \
                pre-invoke post-invoke verify-format",
        },
        ..manager(
            &[Name::of("dpkg", "dpkg")],
            modes(
                "l L s S p V C c I f X-help list listfiles status search verify audit print-avail \
                print-architecture print-foreign-architectures get-selections compare-versions yet-to-unpack \
                predep-package assert-support-predepends assert-working-epoch assert-long-filenames \
                assert-multi-conrep assert-multi-arch assert-versioned-provides validate-pkgname \
                validate-trigname validate-archname validate-version force-help debug-help contents info field \
                licence license",
            ),
        )
    },
    manager(&[Name::of("dselect", "dselect")], Style::Always { bare: true }),
    manager(
        &[
            Name::of("synaptic", "synaptic"),
            Name::of("unattended-upgrade", "unattended-upgrades"),
            Name::of("unattended-upgrades", "unattended-upgrades"),
            Name::of("gdebi", "gdebi-core"),
            Name::of("debootstrap", "debootstrap"),
            Name::of("cdebootstrap", "cdebootstrap"),
            Name::of("mmdebstrap", "mmdebstrap"),
            Name::of("nala", "nala"),
        ],
        Style::Always { bare: true },
    ),
    manager(
        &[Name::of("pkcon", "packagekit-tools")],
        but("backend-details get-details get-filters get-packages get-updates repo-list resolve search"),
    ),
    // Alpine.
    Manager {
        dry: "s simulate help h",
        options: Options {
            flags: "hqvftVUilua",
            valued: "pXt",
            long_flags: "quiet verbose no-cache update-cache upgrade latest allow-untrusted force interactive initdb \
                no-network no-progress no-scripts progress purge update",
            long_valued: "root repository arch cache-dir cache-max-age keys-dir progress-fd repositories-file timeout \
                virtual wait",
        },
        ..manager(
            // `apk.static` is from Alpine's apk-tools-static.
            &[
                Name::of("apk", "Alpine: apk-tools"),
                Name::of("apk-tools", "Alpine: apk-tools"),
            ],
            but("audit dot info list manifest policy query search stats verify version"),
        )
    },
    // RPM.
    Manager {
        dry: "test",
        asks: "help version ?",
        options: Options {
            flags: "v",
            valued: "DrE",
            long_flags: "quiet verbose nodeps nosignature nodigest all",
            long_valued: "define undefine dbpath root rcfile macros load pipe",
        },
        ..manager(
            &[Name::of("rpm", "rpm")],
            modes("q V K E query verify eval showrc querytags checksig getos"),
        )
    },
    Manager {
        options: DNF,
        dry: "assumeno help h",
        asks: "h help version",
        ..manager(
            &[
                Name::versioned("dnf", "dnf; Fedora: dnf-3, dnf5"),
                Name::of("yum", "yum, dnf"),
                Name::of("microdnf", "Fedora: microdnf"),
                Name::of("tdnf", "Photon: tdnf"),
            ],
            but(
                "check check-update check-upgrade deplist help history:list info leaves list provides repoinfo \
                repolist repoquery repo:list search updateinfo version whatprovides advisory group:list \
                group:info grouplist module:list",
            ),
        )
    },
    manager(
        &[
            Name::of("dnf-automatic", "dnf-automatic"),
            Name::of("yumdownloader", "dnf-plugins-core"),
            Name::of("rpm-ostree", "Fedora: rpm-ostree"),
            Name::of("rpm2cpio-install", "rpm"),
            Name::of("urpmi", "Mageia: urpmi"),
            Name::of("bootc", "Fedora: bootc"),
        ],
        Style::Always { bare: true },
    ),
    Manager {
        dry: "D dry-run help",
        options: Options {
            flags: "hVqvAtnfly",
            valued: "cDR",
            long_flags: "non-interactive quiet verbose no-refresh no-gpg-checks gpg-auto-import-keys no-confirm",
            long_valued: "root config reposd-dir cache-dir releasever installroot plus-repo repo from",
        },
        ..manager(
            &[Name::of("zypper", "zypper")],
            but(
                "help if info list-patches list-updates locks lp lr ls lu packages pa patch-check patches \
                pattern-info patterns pch products ps repos se search services targetos versioncmp what-provides \
                wp",
            ),
        )
    },
    // Arch.
    manager(
        &[
            Name::of("pacman", "pacman-package-manager; Arch: pacman"),
            Name::of("pamac", "Manjaro: pamac"),
        ],
        Style::Pacman { bare: false },
    ),
    manager(
        // Without arguments, they upgrade.
        &[
            Name::of("yay", "Arch (AUR): yay"),
            Name::of("paru", "Arch (AUR): paru"),
        ],
        Style::Pacman { bare: true },
    ),
    manager(
        &[
            Name::of("makepkg", "makepkg"),
            Name::of("pacstrap", "Arch: arch-install-scripts"),
        ],
        Style::Always { bare: true },
    ),
    // Gentoo, Void, Solus, Clear Linux, Slackware, embedded, BSD, macOS.
    Manager {
        dry: "p pretend help",
        ..manager(
            &[
                Name::of("emerge", "Gentoo: portage"),
                Name::of("ebuild", "Gentoo: portage"),
            ],
            Style::Modes {
                asks: "s S search searchdesc info list-sets",
                operands: true,
            },
        )
    },
    Manager {
        dry: "n dry-run",
        ..manager(
            &[
                Name::of("xbps-install", "xbps; Void: xbps"),
                Name::of("xbps-remove", "xbps"),
                Name::of("xbps-reconfigure", "xbps"),
                Name::of("xbps-src", "Void: xbps-src"),
            ],
            Style::Always { bare: false },
        )
    },
    manager(
        &[
            Name::of("eopkg", "Solus: eopkg"),
            Name::of("pisi", "Pardus: pisi"),
        ],
        but("blame check help info lf li list-installed list-available la search sr"),
    ),
    manager(
        &[Name::of("swupd", "Clear Linux: swupd-client")],
        but("bundle-list check-update info search hashdump"),
    ),
    manager(
        &[
            Name::of("installpkg", "Slackware: pkgtools"),
            Name::of("upgradepkg", "Slackware: pkgtools"),
            Name::of("removepkg", "Slackware: pkgtools"),
            Name::of("slackpkg", "Slackware: slackpkg"),
            Name::of("tazpkg", "SliTaz: tazpkg"),
            Name::of("cards", "NuTyX: cards"),
        ],
        Style::Always { bare: true },
    ),
    Manager {
        asks: "h help version",
        dry: "noaction help",
        options: Options {
            flags: "AV",
            valued: "fdot",
            long_valued: "conf dest offline-root tmp-dir lists-dir add-dest add-arch",
            long_flags: "force-depends force-reinstall force-overwrite nodeps cache",
        },
        ..manager(
            &[
                Name::of("opkg", "opkg"),
                Name::of("ipkg", "upstream: ipkg"),
                Name::of("opkg-cl", "OpenWrt: opkg"),
            ],
            but(
                "compare-versions depends files find info list list-changed-conffiles list-installed \
                list-upgradable print-architecture search status whatconflicts whatdepends whatprovides \
                whatreplaces whatrequires",
            ),
        )
    },
    manager(
        &[
            Name::of("pkg", "FreeBSD, Termux: pkg"),
            Name::of("pkgin", "pkgsrc: pkgin"),
            Name::of("port", "MacPorts: port"),
        ],
        either(
            "add autoremove bootstrap delete fetch install in i reinstall remove selfupdate sync uninstall \
                update upgrade",
            "audit check help info list query search show stats version which",
        ),
    ),
    manager(
        &[
            Name::of("pkg_add", "OpenBSD: pkg_add"),
            Name::of("pkg_delete", "OpenBSD: pkg_add"),
        ],
        Style::Always { bare: false },
    ),
    manager(
        &[
            Name::of("brew", "Homebrew (a shell script)"),
            Name::of("linuxbrew", "Homebrew"),
        ],
        but(
            "--cache --cellar --env --prefix --repository cat config deps desc doctor formulae casks help home \
            info leaves list ls log missing options outdated search shellenv uses",
        ),
    ),
    // Nix and Guix.
    manager(
        &[Name::of("nix-env", "nix-bin")],
        modes("q query list-generations"),
    ),
    manager(
        &[Name::of("nix-store", "nix-bin")],
        modes("q query verify verify-path dump print-env read-log l"),
    ),
    manager(
        &[
            Name::of("nix-shell", "nix-bin"),
            Name::of("nix-build", "nix-bin"),
            Name::of("nix-channel", "nix-bin"),
            Name::of("nix-collect-garbage", "nix-bin"),
            Name::of("nix-copy-closure", "nix-bin"),
        ],
        Style::Always { bare: true },
    ),
    Manager {
        options: Options {
            flags: "vL",
            valued: "",
            long_flags: "offline verbose quiet debug impure refresh",
            long_valued: "extra-experimental-features experimental-features store log-format",
        },
        ..manager(
            &[Name::of("nix", "nix-bin")],
            but(
                "config derivation doctor eval flake:info flake:metadata flake:show hash help log path-info \
                profile:diff-closures profile:history profile:list search show-config store:cat store:ls \
                store:ping why-depends",
            ),
        )
    },
    Manager {
        dry: "n dry-run help",
        ..manager(
            &[Name::of("guix", "guix")],
            but("container describe edit graph hash help lint locate search show size weather processes"),
        )
    },
    // On top of a distribution.
    manager(
        &[Name::of("snap", "snapd").by(By::Content)],
        either(
            "download enable install refresh remove revert run switch try wait",
            "changes connections find help info interfaces list search services tasks version warnings whoami \
                known",
        ),
    ),
    Manager {
        options: Options {
            flags: "v",
            long_flags: "verbose user system ostree-verbose",
            long_valued: "installation",
            ..Options::NONE
        },
        ..manager(
            &[Name::of("flatpak", "flatpak")],
            but(
                "history info list permissions permission-show ps remote-info remote-ls remotes search documents \
                document-info",
            ),
        )
    },
    manager(
        &[Name::of("spack", "upstream: spack")],
        but("arch compilers dependencies find help info list location providers spec versions"),
    ),
    manager(
        &[
            Name::of("asdf", "upstream: asdf"),
            Name::of("mise", "upstream: mise"),
        ],
        either(
            "add install i plugin:add plugin:update plugin-add up update upgrade use u uninstall sync",
            "current help info list ls version where which doctor",
        ),
    ),
];
