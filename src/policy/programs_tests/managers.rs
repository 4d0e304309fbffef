//! What package managers are told, as they read it themselves.

use super::*;

/// Command lines, parted by semicolons.
fn acts(lines: &str) {
    for line in lines.split("; ") {
        let program = line.split(' ').next().unwrap_or_default();
        assert_eq!(reading(line), Reading::PackageManager(program.into()), "{line}");
    }
}

fn asks(lines: &str) {
    for line in lines.split("; ") {
        assert_eq!(reading(line), Reading::Other, "{line}");
    }
}

#[test]
fn debian() {
    acts(
        "apt-get install -y curl; /usr/bin/apt-get update; apt -y install x; apt-get -o A=b install x; \
        apt-get -oA=b -qq install x; apt-get -t stable install x; apt-get --option A=b dist-upgrade; \
        apt-get --target-release x --yes upgrade; apt -qq install x; apt full-upgrade; \
        apt-get -o install update; apt-get --unknown list install x; apt-get install --unknown --print-uris x; \
        apt-get -c -s install x; apt-get clean; apt-get --simulate=no install x; aptitude; aptitude install x; dpkg -i x.deb; \
        dpkg --install x.deb; dpkg --no-pager -i x.deb; dpkg --root /x -i x.deb; dpkg --root=/x --unpack x.deb; \
        dpkg -r x; dpkg --purge x; dpkg --configure -a; dpkg -D 1 -i x; dselect; unattended-upgrade; \
        apt-get download x",
    );
    asks(
        "apt; apt list; apt -qq list; apt show x; apt --installed list; apt-get --version; apt-get -v; \
        apt --help; apt-get --print-uris install x; apt-get install --print-uris x; apt-get -s install x; \
        apt-get -qqs install x; apt-get install -y -s x; apt-get install --simulate x; \
        apt-get dist-upgrade --dry-run; apt-get --just-print upgrade; apt-get -o A=b -s install x; \
        apt-get indextargets; apt-cache search x; apt-cache policy; apt-config dump; apt-mark showmanual; \
        apt-key list; aptitude search x; aptitude -s install x; dpkg -l; dpkg --no-pager -l; \
        dpkg --status libc6; dpkg --root /x -l; dpkg --root=/x --list; dpkg -L x; dpkg -S /bin/ls; \
        dpkg --print-architecture; dpkg --compare-versions 1 lt 2; dpkg --no-act -i x; dpkg --dry-run -i x; \
        dpkg; dpkg --no-pager; dpkg --version; dpkg-query -W; dpkg-query -l; dpkg-deb -I x.deb; \
        dpkg-divert --list",
    );
}

#[test]
fn alpine() {
    acts(
        "apk add krb5; apk.static add x; /sbin/apk.static --root /x --initdb add x; apk -U add x; \
        apk --no-cache add x; apk --repository http://x add y; apk -X http://x add y; apk upgrade; apk del x; \
        apk update; apk fix; apk fetch x",
    );
    asks(
        "apk; apk info; apk -q info; apk --root /x list; apk --version; apk search x; apk policy x; \
        apk add --simulate x; apk -s add x; apk version; apk stats",
    );
}

#[test]
fn rpm_and_what_is_on_top_of_it() {
    acts(
        "rpm -i x.rpm; rpm -Uvh x.rpm; rpm -ivh x; rpm -e x; rpm --import key; rpm --define a\u{a0}b -i x; \
        rpm --root /x -U x; rpm --rebuilddb; rpm --nodeps -i x; dnf install x; dnf5 install x; \
        dnf-3 -y install x; dnf --setopt a=b install x; yum -y update; yum --disablerepo x install y; \
        microdnf install x; tdnf -y install x; zypper -n install x; zypper --non-interactive in x; \
        zypper --root /x install y; rpm-ostree install x; dnf makecache",
    );
    asks(
        "rpm -qa; rpm -q x; rpm -qi x; rpm -q -i x; rpm -V x; rpm --query x; rpm --eval %{_x}; rpm -E %x; \
        rpm --root /x -qa; rpm --showrc; rpm; rpm --version; rpm -i --test x; rpm --nodeps -qa; \
        rpmbuild --version; rpm2cpio x; dnf list; dnf -q list; dnf --setopt=a=b repoquery x; \
        dnf --assumeno install x; yum repolist; dnf history list; microdnf repoquery; zypper se x; \
        zypper --root /x search y; zypper in --dry-run x; zypper lu; dnf",
    );
}

#[test]
fn other_systems() {
    acts(
        "pacman -S x; pacman -Syu; pacman --sync x; pacman -U x; pacman -Rns x; pacman -Sy; pacman -Fy; \
        pacman --sync --refresh; yay -S x; paru x; makepkg; makepkg -si; emerge x; emerge --sync; emerge -u x; \
        xbps-install x; xbps-install -Sy; eopkg install x; swupd bundle-add x; opkg install x; \
        opkg --offline-root /x install y; ipkg install x; pkg install x; pkg_add x; port install x; \
        brew install x; nix-env -i x; nix-env --install x; nix-shell; nix-channel --update; \
        nix profile install x; nix develop; nix run x; guix install x; nix-store --realise x; snap install x; \
        snap refresh; flatpak install x; flatpak --user install x; flatpak run x; installpkg x; asdf install x",
    );
    asks(
        "pacman -Q; pacman -Qi x; pacman -Ss x; pacman -Si x; pacman -Sl; pacman --query x; pacman -Sp x; \
        pacman -F x; pacman -V; pacman; emerge -p x; emerge --pretend x; emerge -s x; emerge --info; \
        xbps-query x; xbps-install -n x; eopkg info x; swupd info; opkg list-installed; \
        opkg --noaction install x; opkg files x; pkg info; brew list; brew --prefix; nix-env -q; \
        nix-env --query x; nix-store -q x; nix eval x; nix profile list; nix --version; guix show x; \
        guix install -n x; snap list; snap version; flatpak list; flatpak --user list; asdf list; \
        pkg-config --libs x; portage-x install",
    );
}

#[test]
fn python() {
    acts(
        "pip install x; pip3.11 install x; pip3 install x; pip-3.11 install x; pip -q install x; \
        pip --quiet install x; pip --proxy x install y; pip --proxy list install y; \
        pip --disable-pip-version-check install x; pip --disable-pip install x; pip --python x install y; \
        pip uninstall -y x; pip download x; pip wheel x; pip --unknown x install y; \
        pip --unknown list install y; pip install --index-url --help x; pip install --unknown --dry-run x; \
        pip install -r --help; pip install -t -h x; pipx install x; pipx run x; pipenv install; poetry add x; \
        poetry install; pdm add x; hatch env create; easy_install x; easy_install-3.11 x; uv pip install x; \
        uv --quiet pip install x; uv --directory x sync; uv add x; uv tool install x; uv run x; uvx x; uv venv; \
        uv python install; conda install x; conda -v install x; mamba create -n x; micromamba -y install x; \
        micromamba -r x install y; pixi add x; conda env create; conda create --name list x",
    );
    asks(
        "pip; pip list; pip -q list; pip -qq list; pip --disable-pip-version-check list; pip --disable-pip list; \
        pip --proxy x list; pip config list; pip config set a b; pip show x; pip freeze; pip check; pip debug; \
        pip cache dir; pip index versions x; pip --version; pip -V; pip -h; pip help install; \
        pip install --help; pip install -h; pip install --dry-run x; pip install -U --dry-run x; \
        pip install -q -h; pip --python x list; pip --unknown list; pipx list; poetry show; poetry --version; \
        pdm list; uv --version; uv pip list; uv pip freeze; uv tool list; uv python list; uv help; uv tree; uv; \
        uv --quiet pip show x; uv pip install --dry-run x; uv self version; uvx --version; uvx; conda list; \
        conda info; conda env list; conda --version; conda install --dry-run x; mamba search x; pixi list; \
        pipeline; pip-audit install; pipdeptree; conda-build x",
    );
}

#[test]
fn node() {
    acts(
        "npm install; npm i x; npm ci; npm --prefix x install; npm -g install x; npm --prefix list install; \
        npm --loglevel silent ci; npm exec x; npm x y; npm run build; npm start; npm update; npx x; npx -y x; \
        npx --package x y; npx -p x y; yarn; yarn add x; yarn install; yarnpkg add x; yarn --cwd x add y; \
        yarn global add x; pnpm add x; pnpm -C x install; pnpm dlx x; pnpx x; corepack enable; \
        corepack prepare x; bun add x; bun install; bun --cwd x install; bun i; bun x y; bunx x; deno install x; \
        deno add x; npx -c sh",
    );
    asks(
        "npm; npm ls; npm --version; npm -v; npm --prefix x ls; npm list; npm view x; npm config get a; \
        npm root -g; npm help; npm install --help; npm install --dry-run; npm outdated; npx --version; npx; \
        yarn list; yarn --version; yarn why x; yarn global list; pnpm ls; pnpm --version; corepack --version; \
        corepack; bun --version; bun pm ls; deno --version; deno info; bun; npm-check install; yarn-audit",
    );
}

#[test]
fn other_languages() {
    acts(
        "gem install x; gem3.1 install x; gem update; bundle; bundle install; bundle3.1 install; bundler update; \
        bundle add x; composer install; composer --working-dir x install; composer -d x require y; \
        composer.phar install; pecl install x; pear install x; cargo install x; cargo +nightly install x; \
        cargo --locked install x; cargo -C x build; cargo --config a=b add c; cargo build; cargo run; \
        cargo fetch; rustup toolchain install x; rustup update; rustup default stable; go install x; go get x; \
        go mod download; go build; go run .; go -C x install y; go1.22 install x; cpan x; cpan; cpanm x; \
        cpanm -n x; cpan5.36 x; luarocks install x; luarocks-5.4 install x; mvn package; mvn -q package; \
        gradle build; gradlew; opam install x; opam init; cabal install x; cabal build; stack build; \
        dotnet restore; dotnet add package x; dotnet tool install x; dotnet run; dotnet build; nuget install x; \
        nimble install x; tlmgr install x; mix deps.get; ansible-galaxy collection install x",
    );
    asks(
        "gem list; gem --version; gem env; gem which x; bundle exec rake; bundle list; bundle --version; \
        composer show; composer --version; composer validate; composer install --dry-run; pecl list; \
        cargo --version; cargo -V; cargo tree; cargo metadata; cargo search x; cargo --list; cargo fmt; cargo; \
        cargo help install; rustup show; rustup --version; rustup toolchain list; rustup which x; go version; \
        go env; go help; go list; go; go mod graph; go tool x; cpan --version; cpanm --help; luarocks list; \
        luarocks --version; mvn --version; mvn -v; gradle --version; opam list; opam --version; \
        opam switch list; opam install --dry-run x; cabal --version; cabal list; stack --version; stack path; \
        dotnet --info; dotnet --version; dotnet app.dll; dotnet /app/x.dll install; dotnet tool list; \
        dotnet list; nuget list; gofmt; gopls; gem-wrapper; cargo-deny check; gemcutter; Rscript x.R; rustc x; \
        java -jar x; ansible-galaxy list",
    );
}

#[test]
fn an_option_that_is_switched_off_makes_nobody_only_answer() {
    acts(
        "apt-get -h=no update; apt-get -s=no install x; apt-get -s=0 install x; apt-get -v=0 install x; \
        apt-get install --dry-run --no-dry-run x; apt-get --dry-run install x --no-dry-run; \
        npm install --dry-run false x; npm --help=false install x; npm --version=false install x; \
        npm install --dry-run=false x; apt-get -s -s=no install x; apk -s=no add x; dpkg -i --no-act=no x.deb; pnpm --help=false add x",
    );
    asks(
        "apt-get -s=yes install x; apt-get --no-dry-run --dry-run install x; npm install --dry-run=true x; \
        npm install --dry-run x; dpkg -i --no-act x.deb; apt-get install --dry-run=yes x; apt-get -s -s install x; \
        rpm --eval x -i y; rpm -E x -i y",
    );
}

#[test]
fn pacmans_long_options_are_its_letters() {
    acts(
        "pacman -S -- -Q; pacman --sync --search --refresh x; pacman --sync --info --sysupgrade; yay --sync x; \
        pacman --files --refresh",
    );
    asks(
        "yay --files x; pacman --sync --search x; pacman --sync --info x; pacman --sync --list; \
        pacman --sync --groups; pacman --sync --print x; yay --deptest x",
    );
}

#[test]
fn each_has_options_of_its_own() {
    // The first word is the value of the option before it, and would only answer.
    acts(
        "uv --directory tree venv; conda --name list create; pnpm -C list rebuild; yarn --cwd list build; \
        bun --cwd test create x; composer --working-dir list create-project x; cargo --config tree build; \
        go -C list build; go run . --help; go --version build; mvn -V package; aptitude -w search purge x; \
        zypper --root search dup; dnf --installroot list distro-sync; opkg --dest list flag x; \
        nix --store search build; flatpak --installation list repair; npm --prefix list rebuild; \
        apk --root list cache; apt -t list purge x; dnf -V install x; opkg -V install x; pip --proxy list wheel; micromamba -r list create",
    );
    asks(
        "apt -s install x; uvx --quiet; uvx --directory list; npm -v install x; npm -? install x; pnpm -v install x; yarn -v install; \
        npx -v x; npx --quiet; npx -y; bun -v install x; bun --revision install x; bun install --dry-run; \
        cargo --list build; cargo add --dry-run x; flatpak --user list install; cargo --explain x build; cpan -l; cpan -A x; cpan -v x; mvn -v package; \
        opam install --show-actions x; ansible-galaxy -h collection install x; apt -v install x; \
        apt-get -v install x; aptitude -Z search install; dpkg -? -i x; dpkg -B; dpkg -D 1; dpkg --root /x; \
        rpm -? -i x; rpm -v; rpm -D x; rpm --dbpath x; dnf -q list install; zypper -q se install; \
        apk -q info add; opkg -A list install; nix -v search upgrade; flatpak -v list install; \
        conda -v list install; cargo -v tree add; npm -s ls install; composer -q show install; \
        emerge --pretend x; xbps-install --dry-run x; guix install --dry-run x; opkg --version install x; \
        zypper -D in x",
    );
}

#[test]
fn an_option_that_is_known_leaves_the_command_where_it_is() {
    asks("pip -q list install; pip --unknown=x list install; pip --prox install list");
    acts("pip --unknown x install");
}

#[test]
fn a_command_below_a_command_decides_and_may_be_what_was_not_kept() {
    let of = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        read_started(&words, true, Content::Unknown)
    };
    for cut in [
        "ansible-galaxy collection in",
        "pacman -S",
        "pip inst",
        "conda env li",
    ] {
        let program = cut.split(' ').next().unwrap();
        assert_eq!(of(cut), Reading::Cut(program.into()), "{cut}");
    }
    assert_eq!(of("pip install x"), Reading::PackageManager("pip".into()));
    assert_eq!(
        of("ansible-galaxy collection install x"),
        Reading::PackageManager("ansible-galaxy".into())
    );
    for other in ["ansible-galaxy frob in", "pip list x"] {
        assert_eq!(of(other), Reading::Other, "{other}");
    }
    asks("ansible-galaxy collection verify x");
}

#[test]
fn what_a_wrapper_runs_is_read_too() {
    for (line, program) in [
        ("env DEBIAN_FRONTEND=noninteractive apt-get install x", "apt-get"),
        ("env -S pip\u{a0}install\u{a0}x", "pip"),
        ("env -S pip install x", "pip"),
        ("timeout 5 uv pip install x", "uv"),
        ("busybox apk add x", "apk"),
        ("busybox dpkg -i x.deb", "dpkg"),
        ("sudo -u root apk add x", "apk"),
    ] {
        assert_eq!(reading(line), Reading::PackageManager(program.into()), "{line}");
    }
    asks("env -S pip\u{a0}list; busybox apk info; timeout 5 apt-get -s install x");
}

#[test]
fn no_name_is_in_the_lists_twice() {
    let mut names: Vec<&str> = SHELLS.iter().map(|shell| shell.name).collect();
    names.extend(super::super::managers::names());
    names.sort_unstable();
    let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn every_name_in_the_list_is_found_and_answers_for_help() {
    for name in super::super::managers::names() {
        assert!(
            is_package_manager(name) && is_package_manager(&format!("/usr/bin/{name}")),
            "{name}"
        );
        let help = reading(&format!("{name} --help"));
        assert_eq!(help, Reading::Other, "{name}");
        assert!(!is_package_manager(&format!("{name}-y")), "{name}");
    }
    assert!(!is_package_manager("python3"));
}
