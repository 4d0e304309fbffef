//! Package managers that an interpreter runs.

use super::*;

#[test]
fn a_package_manager_is_found_however_its_interpreter_is_told() {
    for (line, program) in [
        ("python3 -m pip install x", "pip"),
        ("python3.11 -I -m pip install x", "pip"),
        ("/usr/bin/python3.11 -Im pip install x", "pip"),
        ("python -Rmpip install x", "pip"),
        ("python3 -mpip install x", "pip"),
        ("python3 -BEsm pip install x", "pip"),
        ("python3 -X dev -m pip install x", "pip"),
        ("python3 -Xdev -m pip install x", "pip"),
        ("python3 -W ignore -m pip install x", "pip"),
        ("python3 -u -Wignore -bb -OO -m pip install x", "pip"),
        ("python3 --check-hash-based-pycs always -m pip install x", "pip"),
        ("python3 -m pip.__main__ install x", "pip.__main__"),
        ("python3 -m pip.__pip-runner__ install x", "pip.__pip-runner__"),
        ("python3 -m pip._internal install x", "pip._internal"),
        ("python3 -m pip -q --proxy list install x", "pip"),
        ("python3 -m ensurepip", "ensurepip"),
        ("python3 -Im ensurepip --upgrade --default-pip", "ensurepip"),
        ("python3 -m ensurepip.__main__", "ensurepip.__main__"),
        ("python3 -m easy_install x", "easy_install"),
        (
            "python3 -m setuptools.command.easy_install x",
            "setuptools.command.easy_install",
        ),
        ("python3 -m venv /x", "venv"),
        ("python3 -m virtualenv /x", "virtualenv"),
        ("python3 -m uv pip install x", "uv"),
        ("python3 -m pipx install x", "pipx"),
        ("python3 -m poetry add x", "poetry"),
        ("python3 -m conda install x", "conda"),
        ("pypy3 -m pip install x", "pip"),
        ("pypy3.10 -mpip install x", "pip"),
        ("python3.11d -m pip install x", "pip"),
        ("python3-dbg -m pip install x", "pip"),
        ("python -m runpy pip install x", "pip"),
        ("python -m cProfile setup.py install", "setup.py"),
        ("python -m cProfile -o x -m pip install x", "pip"),
        ("python -m pdb -m pip install x", "pip"),
        ("python -m pdb -c continue -m pip install x", "pip"),
        ("python -m trace --trace --module pip install x", "pip"),
        ("python -m coverage run --source x -m pip install x", "pip"),
        (
            "python3 /usr/lib/python3/dist-packages/pip install x",
            "/usr/lib/python3/dist-packages/pip",
        ),
        (
            "python3 /usr/lib/pip/__main__.py install x",
            "/usr/lib/pip/__main__.py",
        ),
        (
            "python3 /usr/lib/pip/__pip-runner__.py install x",
            "/usr/lib/pip/__pip-runner__.py",
        ),
        (
            "python3 /x/pip/_internal/cli/main.py install x",
            "/x/pip/_internal/cli/main.py",
        ),
        (
            "python3 /x/__env_pip__.zip/pip install x",
            "/x/__env_pip__.zip/pip",
        ),
        ("python3 pip.pyz install x", "pip.pyz"),
        (
            "python3 pip-24.0-py3-none-any.whl/pip install x",
            "pip-24.0-py3-none-any.whl/pip",
        ),
        (
            "python3 pip-24.0-py3-none-any.whl install x",
            "pip-24.0-py3-none-any.whl",
        ),
        ("python3 /usr/bin/pip install x", "/usr/bin/pip"),
        ("python3 -E -- /usr/bin/pip3 install x", "/usr/bin/pip3"),
        ("python3 get-pip.py", "get-pip.py"),
        ("python3 setup.py install", "setup.py"),
        ("python3 setup.py build develop", "setup.py"),
        (
            "python3 -Ic import\u{a0}pip;\u{a0}pip.main(['install','x'])",
            "pip",
        ),
        ("python3 -c import\u{a0}pip;pip.main([\"install\",\"x\"])", "pip"),
        (
            "python3 -c from\u{a0}pip._internal\u{a0}import\u{a0}main;\u{a0}main(['install','x'])",
            "pip",
        ),
        (
            "python3 -c from\u{a0}pip._internal.cli.main\u{a0}import\u{a0}main;\u{a0}main() install x",
            "pip",
        ),
        (
            "python3 -c import\u{a0}os,\u{a0}sys,\u{a0}pip\u{a0}as\u{a0}p;\u{a0}p.main(sys.argv)",
            "pip",
        ),
        ("python3 -c __import__('pip').main(['install','x'])", "pip"),
        (
            "python3 -c import\u{a0}runpy;runpy.run_module('pip') install x",
            "pip",
        ),
        (
            "python3 -c import\u{a0}runpy,sys;sys.argv=['pip','install','x'];runpy.run_module('pip',run_name='__main__')",
            "pip",
        ),
        (
            "python3 -c import\u{a0}ensurepip;ensurepip.bootstrap()",
            "ensurepip",
        ),
        ("python3 -cimport\u{a0}ensurepip;ensurepip._main()", "ensurepip"),
        (
            "node /usr/lib/node_modules/npm/bin/npm-cli.js install",
            "/usr/lib/node_modules/npm/bin/npm-cli.js",
        ),
        (
            "nodejs --no-warnings /usr/share/npm/bin/npx-cli.js x",
            "/usr/share/npm/bin/npx-cli.js",
        ),
        (
            "node -r x /usr/share/yarn/bin/yarn.js add x",
            "/usr/share/yarn/bin/yarn.js",
        ),
        ("node --frob /x /usr/bin/npm ci", "/usr/bin/npm"),
        ("node -e require('npm').load()", "node"),
        ("node --eval=require(\"npm\")", "node"),
        ("ruby /usr/bin/gem install x", "/usr/bin/gem"),
        ("ruby -S gem install x", "gem"),
        ("ruby3.1 -W0 -S bundle install", "bundle"),
        (
            "ruby -rrubygems/gem_runner -e Gem::GemRunner.new.run(['install'])",
            "ruby",
        ),
        ("perl -MCPAN -e shell", "perl"),
        ("perl -MCPAN=install -e install('x')", "perl"),
        ("perl -e use\u{a0}CPAN;install('x')", "perl"),
        ("perl5.36-x86_64-linux-gnu /usr/bin/cpanm x", "/usr/bin/cpanm"),
        ("php composer.phar install", "composer.phar"),
        (
            "php -d memory_limit=-1 /usr/bin/composer install",
            "/usr/bin/composer",
        ),
        ("php -f /usr/bin/composer install", "/usr/bin/composer"),
        ("lua5.4 /usr/bin/luarocks install x", "/usr/bin/luarocks"),
    ] {
        assert_eq!(reading(line), Reading::PackageManager(program.into()), "{line}");
        assert_eq!(started(line, Content::Other), reading(line), "{line}");
    }
}

#[test]
fn what_only_asks_or_is_something_else_is_no_finding() {
    for line in [
        "python3",
        "python3 -m pip",
        "python3 -m pip list",
        "python3 -m pip -q list",
        "python3 -Rmpip --disable-pip-version-check list",
        "python3 -m pip install --help",
        "python3 -m ensurepip --version",
        "python3 -m ensurepip --help",
        "python3 -m venv --help",
        "python3 -m venv --without-pip /x",
        "python3 -m http.server",
        "python3 -m this",
        "python3 -m pipeline",
        "python3 -m npm install x",
        "python3 -m setuptools.npm install x",
        "python3 -m timeit pass",
        "python3 -m cProfile app.py",
        "python3 -m pdb app.py -m pip",
        "python3 -m unittest install",
        "python3 pipeline.py",
        "python3 app.py -m pip install x",
        "python3 app.py install",
        "python3 dash",
        "python3 /app/pip.d/app.py install",
        "python3 setup.py build",
        "python3 setup.py --version",
        "python3 --version",
        "python3 -V -m pip install x",
        "python3 -h",
        "python3 -c print('pip')",
        "python3 -c print('pip\u{a0}install')",
        "python3 -c import\u{a0}os",
        "python3 -c import\u{a0}pip;\u{a0}print(pip.__version__)",
        "python3 -c import\u{a0}pip;\u{a0}pip.main(['list'])",
        "python3 -c import\u{a0}pip;\u{a0}pip.main(['-q','list'])",
        "python3 -c __import__('pip').main(['list'])",
        "python3 -c from\u{a0}pip._internal.cli.main\u{a0}import\u{a0}main;main() list",
        "python3 -c from\u{a0}importlib.metadata\u{a0}import\u{a0}version;print(version('pip'))",
        "python3 -c import\u{a0}setuptools;setuptools.setup()",
        "python3 -c import\u{a0}pipeline;pipeline.main(['install'])",
        "python3 -c x -m pip install x",
        "pythonic -m pip install x",
        "pypyx -m pip install x",
        "node app.js install",
        "node /usr/lib/node_modules/npm/bin/npm-cli.js ls",
        "node -e console.log('npm')",
        "node",
        "node -p process.version",
        "node app.js /usr/bin/npm install",
        "ruby app.rb install",
        "ruby -e puts\u{a0}1",
        "ruby -S gem list",
        "perl -e print\u{a0}1",
        "perl -ne print x",
        "perl -MPOSIX -e 1",
        "perl app.pl install",
        // The option takes no value, and the script is none.
        "perl -w app.pl cpanm x",
        "php -n index.php composer install",
        "lua -i app.lua luarocks install x",
        "php -r echo\u{a0}1;",
        "php composer.phar show",
        "php -S 0.0.0.0:80",
        "php index.php install",
        "lua app.lua install",
        "lua -e print(1)",
    ] {
        assert_eq!(reading(line), Reading::Other, "{line}");
    }
}

#[test]
fn a_shell_that_is_a_module_is_one() {
    assert_eq!(reading("python3 -m xonsh"), Reading::Shell("xonsh".into()));
    assert_eq!(
        reading("python3 -m xonsh.main -c ls"),
        Reading::Shell("xonsh.main".into())
    );
}

#[test]
fn a_script_on_standard_input_cannot_be_judged() {
    for (line, program) in [
        ("python3 -", "python3"),
        ("python3 -u - install", "python3"),
        ("/usr/bin/node -", "/usr/bin/node"),
        ("perl - x", "perl"),
        ("python3 -m cProfile --frob x", "cProfile"),
    ] {
        assert_eq!(reading(line), Reading::Unreadable(program.into()), "{line}");
    }
}

#[test]
fn code_that_installs_is_read_in_each_language() {
    for line in [
        "php -r require\u{a0}'composer.phar';",
        "php -n -r Composer\\Factory::create();",
        "lua -e require('luarocks.cmd')",
        "lua -i -e require('luarocks.cmd')",
        "perl -we use\u{a0}CPAN;",
        "php -d a=b composer.phar install",
    ] {
        let program = line.split(' ').next().unwrap();
        let expected = match line.ends_with("composer.phar install") {
            true => "composer.phar",
            false => program,
        };
        assert_eq!(reading(line), Reading::PackageManager(expected.into()), "{line}");
    }
}

#[test]
fn what_setup_was_told_and_nobody_kept_is_cut() {
    let of = |words: &[&str]| read_started(words, true, Content::Other);
    assert_eq!(
        of(&["python3", "setup.py", "bui"]),
        Reading::Cut("setup.py".into())
    );
    assert_eq!(
        of(&["python3", "setup.py", "install", "x"]),
        Reading::PackageManager("setup.py".into())
    );
}

#[test]
fn a_runner_takes_the_values_of_its_options() {
    for line in [
        "python3 -m cProfile --outfile x -m pip install y",
        "python3 -m cProfile --sort x -m pip install y",
    ] {
        assert_eq!(reading(line), Reading::PackageManager("pip".into()), "{line}");
    }
}
