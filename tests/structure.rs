//! The shape of the source: no files that import each other in a circle, none too long to read in one sitting, and a
//! policy that knows no protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};

/// The longest file, in lines.
const LONGEST: usize = 500;

/// A path of names, from the root of its crate.
type Names = Vec<String>;

/// A file of source, and what is in scope there.
struct Module {
    file: PathBuf,
    source: String,
    /// What it defines itself, modules among them.
    defines: BTreeSet<String>,
    /// What it brings into scope, by the name that it has here; `*` brings everything of a module.
    imports: Vec<Import>,
    /// Every path in its code that has more than one name.
    paths: BTreeSet<Names>,
}

struct Import {
    name: String,
    path: Names,
    is_public: bool,
}

/// One crate's modules, by their paths.
#[derive(Default)]
struct Crate {
    modules: BTreeMap<Names, Module>,
}

impl Crate {
    fn read(root: &Path) -> Self {
        let mut all = Self::default();
        all.add(Vec::new(), root);
        all
    }

    fn add(&mut self, at: Names, file: &Path) {
        let source = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let syntax = syn::parse_file(&source).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut module = Module {
            file: file.to_owned(),
            source,
            defines: BTreeSet::new(),
            imports: Vec::new(),
            paths: BTreeSet::new(),
        };
        for item in &syntax.items {
            let Some(attributes) = attributes(item) else {
                continue;
            };
            if attributes.iter().any(is_for_tests) {
                continue;
            }
            match item {
                Item::Use(item) => module.import(item),
                Item::Mod(item) if item.content.is_none() => {
                    let name = item.ident.to_string();
                    let place = file_of(file, &at, item);
                    self.add([at.clone(), vec![name.clone()]].concat(), &place);
                    module.defines.insert(name);
                }
                item => {
                    module.defines.extend(name(item));
                    Paths(&mut module.paths).visit_item(item);
                }
            }
        }
        self.modules.insert(at, module);
    }

    /// The module in which the thing is defined that a path means, seen from a module; none for what is of another crate.
    fn resolve(&self, from: &Names, path: &[String], depth: usize) -> Option<Names> {
        let (first, rest) = path.split_first()?;
        let mut at = from.clone();
        match first.as_str() {
            _ if depth == 0 => return None,
            "crate" => return self.descend(Vec::new(), rest, depth),
            "self" => return self.descend(at, rest, depth),
            "super" => {
                at.pop()?;
                if rest.first().is_some_and(|next| next == "super") {
                    return self.resolve(&at, rest, depth);
                }
                return self.descend(at, rest, depth);
            }
            _ => {}
        }
        self.descend(at, path, depth)
    }

    fn descend(&self, at: Names, path: &[String], depth: usize) -> Option<Names> {
        let module = self.modules.get(&at)?;
        // The module itself is no thing that is defined in it.
        let (first, rest) = path.split_first()?;
        let inner = [at.clone(), vec![first.clone()]].concat();
        if self.modules.contains_key(&inner) {
            return self.descend(inner, rest, depth);
        }
        if module.defines.contains(first) {
            return Some(at);
        }
        let named = module.imports.iter().filter(|import| import.name == *first);
        let all = module.imports.iter().filter(|import| import.name == "*");
        let through = |import: &Import| {
            let path: Names = match import.name.as_str() {
                "*" => [import.path.clone(), path.to_vec()].concat(),
                _ => [import.path.clone(), rest.to_vec()].concat(),
            };
            self.resolve(&at, &path, depth - 1)
        };
        named.chain(all).find_map(through)
    }

    /// Which file takes what from which.
    fn arrows(&self) -> BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>> {
        let mut arrows: BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>> = BTreeMap::new();
        for (at, module) in &self.modules {
            let is_used = |import: &&Import| !import.is_public || module.uses(&import.name);
            let imported = module.imports.iter().filter(is_used).map(|import| &import.path);
            for path in imported.chain(&module.paths) {
                // A file and the folder of its name are one place: what is in the folder may use what the file shares.
                let Some(target) = self.resolve(at, path, 8).filter(|target| !at.starts_with(target)) else {
                    continue;
                };
                let target = self.modules[&target].file.clone();
                let names = arrows
                    .entry(module.file.clone())
                    .or_default()
                    .entry(target)
                    .or_default();
                names.extend(path.last().cloned());
            }
        }
        arrows
    }
}

impl Module {
    fn import(&mut self, item: &ItemUse) {
        let is_public = !matches!(item.vis, Visibility::Inherited);
        let mut add = |name: String, path: Names| {
            self.imports.push(Import {
                name,
                path,
                is_public,
            });
        };
        flatten(&item.tree, Vec::new(), &mut add);
    }

    /// Whether a name that is passed on is used here too.
    fn uses(&self, name: &str) -> bool {
        let code = self.source.lines().filter(|line| {
            let line = line.trim_start();
            !line.starts_with("//") && !line.starts_with("pub use") && !line.starts_with("pub(crate) use")
        });
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        code.flat_map(|line| line.split(|c| !is_word(c)))
            .any(|word| word == name)
    }
}

fn flatten(tree: &UseTree, mut path: Names, add: &mut impl FnMut(String, Names)) {
    match tree {
        UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            flatten(&inner.tree, path, add);
        }
        UseTree::Name(inner) if inner.ident == "self" => {
            add(path.last().cloned().unwrap_or_default(), path);
        }
        UseTree::Name(inner) => {
            path.push(inner.ident.to_string());
            add(inner.ident.to_string(), path);
        }
        UseTree::Rename(inner) => {
            path.push(inner.ident.to_string());
            add(inner.rename.to_string(), path);
        }
        UseTree::Glob(_) => add("*".to_owned(), path),
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, path.clone(), add);
            }
        }
    }
}

/// Collects the paths of a piece of code, without what is for tests.
struct Paths<'a>(&'a mut BTreeSet<Names>);

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Names = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if names.len() > 1 {
            self.0.insert(names);
        }
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        flatten(&item.tree, Vec::new(), &mut |_, path| {
            self.0.insert(path);
        });
    }
}

fn attributes(item: &Item) -> Option<&[Attribute]> {
    Some(match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => return None,
    })
}

fn name(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Mod(item) => &item.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<syn::Path>()
            .is_ok_and(|path| path.is_ident("test"))
}

/// The file of a module that is declared in another.
fn file_of(parent: &Path, at: &Names, item: &ItemMod) -> PathBuf {
    let directory = parent.parent().expect("a file is in a directory");
    let stem = parent.file_stem().expect("a file has a name");
    let inside = match at.is_empty() || stem == "mod" {
        true => directory.to_owned(),
        false => directory.join(stem),
    };
    let flat = inside.join(format!("{}.rs", item.ident));
    match flat.exists() {
        true => flat,
        false => inside.join(item.ident.to_string()).join("mod.rs"),
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The roots of the crates below `src`, `witnesses` and `backends`.
fn crates() -> Vec<PathBuf> {
    let mut roots = vec![root().join("src/lib.rs")];
    for folder in ["witnesses", "backends"] {
        let entries = fs::read_dir(root().join(folder)).expect("a folder of crates");
        let libraries = entries.map(|entry| entry.expect("an entry").path().join("src/lib.rs"));
        roots.extend(libraries.filter(|library| library.exists()));
    }
    assert!(roots.len() > 7, "{roots:?}");
    roots
}

/// The files that can be reached from each other, if there are any: what each takes from the next.
fn circles(arrows: &BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>) -> Vec<String> {
    let reach = |from: &PathBuf| {
        let mut seen: BTreeSet<&PathBuf> = BTreeSet::new();
        let mut next: Vec<&PathBuf> = arrows.get(from).into_iter().flat_map(BTreeMap::keys).collect();
        while let Some(file) = next.pop() {
            if seen.insert(file) {
                next.extend(arrows.get(file).into_iter().flat_map(BTreeMap::keys));
            }
        }
        seen.into_iter().cloned().collect::<BTreeSet<_>>()
    };
    let reached: BTreeMap<&PathBuf, BTreeSet<PathBuf>> =
        arrows.keys().map(|file| (file, reach(file))).collect();
    let short = |file: &Path| file.strip_prefix(root()).unwrap_or(file).display().to_string();
    let mut found = Vec::new();
    for (from, targets) in arrows {
        for (to, names) in targets {
            if reached.get(to).is_some_and(|back| back.contains(from)) {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                found.push(format!("{} -> {}: {}", short(from), short(to), names.join(", ")));
            }
        }
    }
    found
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut found = Vec::new();
    let mut count = 0;
    for root in crates() {
        let arrows = Crate::read(&root).arrows();
        count += arrows.values().map(BTreeMap::len).sum::<usize>();
        found.extend(circles(&arrows));
    }
    assert!(count > 200, "only {count} imports were read");
    assert!(
        found.is_empty(),
        "files that import each other:\n{}",
        found.join("\n")
    );
}

#[test]
fn a_circle_is_found_through_re_exports() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path
    };
    let root = write("lib.rs", "mod a;\nmod b;\npub use a::One;\npub struct Two;");
    write(
        "a.rs",
        "use crate::b;\npub struct One;\nfn f() { b::inner::two() }",
    );
    write("b.rs", "pub mod inner;");
    let inner = write("b/inner.rs", "use crate::One;\npub fn two() -> One { One }");
    let found = circles(&Crate::read(&root).arrows());
    assert_eq!(found.len(), 2, "{found:?}");
    let harmless = "use super::super::Two;\npub fn two() -> Two { Two }\n#[cfg(test)]\nmod tests;";
    fs::write(inner, harmless).expect("a file");
    assert_eq!(circles(&Crate::read(&root).arrows()), [""; 0]);
}

/// All files of Rust below some folders of the project.
fn files(folders: &[&str]) -> Vec<PathBuf> {
    let mut next: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut files = Vec::new();
    while let Some(path) = next.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder");
            next.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn no_file_is_too_long_to_read_in_one_sitting() {
    let folders = ["src", "witnesses", "backends", "tests", "benches", "examples"];
    let all = files(&folders);
    assert!(all.len() > 150, "{}", all.len());
    let long = all.iter().filter(|file| {
        let source = fs::read_to_string(file).expect("a readable file");
        source.lines().count() > LONGEST
    });
    let long: Vec<_> = long.collect();
    assert!(long.is_empty(), "more than {LONGEST} lines: {long:?}");
}

#[test]
fn the_policy_knows_no_protocol() {
    let mut read = 0;
    for file in files(&["src/policy"]) {
        if file.to_string_lossy().contains("_tests") {
            continue;
        }
        let source = fs::read_to_string(&file).expect("a readable file");
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        for protocol in [
            "shellproof_wire",
            "shellproof_kernel",
            "shellproof_image",
            "serde_json",
            "hyper",
            "http::",
        ] {
            assert!(!code.contains(protocol), "{} names `{protocol}`", file.display());
        }
        read += 1;
    }
    assert!(read > 5, "{read}");
}
