//! `examples`: every public item of the facade, and every public type of the crates below it, has an
//! example. `cargo test --doc` says whether they compile; this says which are missing. And the programs
//! that are examples, and end by themselves, are run.
//!
//! It reads the sources as a compiler does that knows no macros: from `lib.rs` along `mod` and
//! `pub use`, whatever the features. What a macro of ours makes is found by its text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use syn::{Attribute, Expr, ExprLit, ImplItem, Item, Lit, Meta, UseTree, Visibility};

use crate::Outcome;
use crate::write::root;

/// Crates whose every public item has an example of its own.
const FACADES: &[&str] = &["crates/moorline"];
/// Crates whose public types have one: on their own page, or by name in another one of the crate.
const INNER: &[&str] = &[
    "crates/link",
    "crates/work",
    "crates/node",
    "crates/wire",
    "crates/transport",
    "crates/store",
    "crates/sync",
    "crates/driver",
    "crates/chaos",
    "transports/grpc",
    "transports/memory",
];

/// Programs that end by themselves, and what each says when it does what it is for.
const PROGRAMS: &[(&str, &str)] = &[
    ("by_hand", "Active to Shutdown"),
    ("on_async_std", "hello you, from async-std"),
    ("on_smol", "hello you, from smol"),
    ("on_threads", "hello you, from a thread"),
    ("on_tokio", "hello you, from tokio"),
];

/// Longest time that one of them may take; they take a second or less.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run(args: &[String]) -> Outcome {
    let built = match args {
        [] => false,
        [flag] if flag == "--built" => true,
        other => return Err(format!("takes --built or nothing, got {other:?}").into()),
    };
    documented()?;
    if !built {
        // As `cargo test --workspace` builds them: one set of features.
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--workspace", "--examples"])
            .current_dir(root())
            .status()?;
        if !status.success() {
            return Err("the examples do not compile".into());
        }
    }
    let here = std::env::current_exe()?;
    let programs = here.parent().ok_or("this program has no folder")?.join("examples");
    for (name, says) in PROGRAMS {
        let said = program(&programs.join(name)).map_err(|error| format!("{name}: {error}"))?;
        if !said.contains(says) {
            return Err(format!("{name} does not say {says:?}, but:\n{said}").into());
        }
    }
    println!("{} programs do what they are examples of", PROGRAMS.len());
    Ok(())
}

/// What a program says until it ends well.
fn program(path: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let mut child = Command::new(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Err(format!("does not end within {PATIENCE:?}").into());
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut said = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut said)?;
    }
    if status.success() { Ok(said) } else { Err(format!("{status}; it said:\n{said}").into()) }
}

/// Whether everything that needs an example has one.
fn documented() -> Outcome {
    let (mut looked_at, mut missing) = (0, Vec::new());
    for (crates, strict) in [(FACADES, true), (INNER, false)] {
        for dir in crates {
            let found = Crate::read(&root().join(dir))?.public()?;
            looked_at += found.len();
            missing
                .extend(without(&found, strict).into_iter().map(|item| format!("{dir}: {item}")));
        }
    }
    if !missing.is_empty() {
        let count = missing.len();
        return Err(format!("{count} without an example:\n{}", missing.join("\n")).into());
    }
    println!("{looked_at} public items: each that needs an example has one");
    Ok(())
}

/// Those without an example, of those that need one.
fn without(found: &[Public], strict: bool) -> Vec<String> {
    let examples: Vec<String> = found.iter().flat_map(|item| blocks(&item.docs)).collect();
    let words: BTreeSet<&str> = examples
        .iter()
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .collect();
    let missing = found.iter().filter(|item| {
        let own = !blocks(&item.docs).is_empty();
        if strict { !own } else { item.is_type && !own && !words.contains(item.name.as_str()) }
    });
    missing.map(|item| item.name.clone()).collect()
}

/// The blocks of a text that rustdoc compiles.
fn blocks(docs: &str) -> Vec<String> {
    const COMPILED: &[&str] = &["rust", "no_run", "should_panic", "compile_fail"];
    let (mut blocks, mut inside): (Vec<String>, Option<bool>) = (Vec::new(), None);
    for line in docs.lines() {
        match (line.trim().strip_prefix("```"), inside) {
            (Some(_), Some(_)) => inside = None,
            (Some(info), None) => {
                let compiled = info.split(',').all(|word| {
                    let word = word.trim();
                    word.is_empty() || COMPILED.contains(&word) || word.starts_with("edition")
                });
                inside = Some(compiled);
                if compiled {
                    blocks.push(String::new());
                }
            }
            (None, Some(true)) => {
                if let Some(block) = blocks.last_mut() {
                    block.push_str(line);
                    block.push('\n');
                }
            }
            (None, Some(false) | None) => {}
        }
    }
    blocks.retain(|block| !block.trim().is_empty());
    blocks
}

/// A public item as users see it.
#[derive(Debug)]
struct Public {
    /// `Name`, or `Type::name` for what belongs to a type.
    name: String,
    is_type: bool,
    docs: String,
}

/// A crate's sources.
struct Crate {
    root: Module,
    docs: String,
    /// By type: what inherent impls add to it, wherever they are.
    members: BTreeMap<String, Vec<Public>>,
}

#[derive(Default)]
struct Module {
    text: String,
    /// What is defined here: whether it is a type, and its documentation.
    items: BTreeMap<String, (bool, String)>,
    /// What `use` brings in: the name here, the path it is at.
    uses: Vec<(String, Vec<String>)>,
    /// Modules of which `pub use` brings in everything.
    globs: Vec<Vec<String>>,
    public: BTreeSet<String>,
    modules: BTreeMap<String, Module>,
}

impl Crate {
    fn read(dir: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let mut members = BTreeMap::new();
        let text = fs::read_to_string(dir.join("src/lib.rs"))?;
        let file = syn::parse_file(&text)?;
        let docs = docs(&file.attrs);
        let root = Module::read(text, file.items, &dir.join("src"), &mut members)?;
        Ok(Self { root, docs, members })
    }

    /// Everything that can be named from outside, with its members.
    fn public(self) -> Result<Vec<Public>, String> {
        let mut found = vec![Public {
            name: "the crate itself".into(),
            is_type: true,
            docs: self.docs.clone(),
        }];
        self.collect(&self.root, &mut found)?;
        Ok(found)
    }

    fn collect(&self, module: &Module, found: &mut Vec<Public>) -> Result<(), String> {
        for glob in &module.globs {
            if let Some(inner) = self.walk(module, glob) {
                self.collect(inner, found)?;
            }
        }
        for name in &module.public {
            if let Some(inner) = module.modules.get(name) {
                self.collect(inner, found)?;
                continue;
            }
            let Some((is_type, docs)) = self.find(module, name, 0)? else { continue };
            found.push(Public { name: name.clone(), is_type, docs });
            for Public { name: member, docs, .. } in self.members.get(name).into_iter().flatten() {
                let name = format!("{name}::{member}");
                found.push(Public { name, is_type: false, docs: docs.clone() });
            }
        }
        Ok(())
    }

    /// The module at a path; `None` if it is not one of ours.
    fn walk<'a>(&'a self, from: &'a Module, way: &[String]) -> Option<&'a Module> {
        let mut at = from;
        for step in way {
            at = match step.as_str() {
                "crate" => &self.root,
                "self" => at,
                name => at.modules.get(name)?,
            };
        }
        Some(at)
    }

    /// An item by the name it has in a module; `None` if it is another crate's.
    fn find(
        &self,
        module: &Module,
        name: &str,
        depth: u32,
    ) -> Result<Option<(bool, String)>, String> {
        if depth > 16 {
            return Err(format!("{name}: `use` goes round in circles"));
        }
        if let Some(found) = module.items.get(name) {
            return Ok(Some(found.clone()));
        }
        if let Some((_, path)) = module.uses.iter().find(|(here, _)| here == name) {
            let (last, way) = path.split_last().ok_or("an empty path")?;
            return match self.walk(module, way) {
                Some(at) => self.find(at, last, depth + 1),
                None => Ok(None),
            };
        }
        for glob in &module.globs {
            if let Some(inner) = self.walk(module, glob)
                && let Ok(Some(found)) = self.find(inner, name, depth + 1)
            {
                return Ok(Some(found));
            }
        }
        made_by_macro(&module.text, name)
            .map(Some)
            .ok_or_else(|| format!("{name} is exported, but nothing here defines it"))
    }
}

impl Module {
    fn read(
        text: String,
        items: Vec<Item>,
        dir: &Path,
        members: &mut BTreeMap<String, Vec<Public>>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let mut module = Self { text, ..Self::default() };
        for item in items {
            module.take(item, dir, members)?;
        }
        Ok(module)
    }

    fn take(
        &mut self,
        item: Item,
        dir: &Path,
        members: &mut BTreeMap<String, Vec<Public>>,
    ) -> Outcome {
        let (attrs, vis, name, is_type) = match &item {
            Item::Struct(it) => (&it.attrs, &it.vis, it.ident.to_string(), true),
            Item::Enum(it) => (&it.attrs, &it.vis, it.ident.to_string(), true),
            Item::Union(it) => (&it.attrs, &it.vis, it.ident.to_string(), true),
            Item::Trait(it) => (&it.attrs, &it.vis, it.ident.to_string(), true),
            Item::Type(it) => (&it.attrs, &it.vis, it.ident.to_string(), false),
            Item::Fn(it) => (&it.attrs, &it.vis, it.sig.ident.to_string(), false),
            Item::Const(it) => (&it.attrs, &it.vis, it.ident.to_string(), false),
            Item::Static(it) => (&it.attrs, &it.vis, it.ident.to_string(), false),
            Item::Impl(it) => {
                if it.trait_.is_none()
                    && !is_left_out(&it.attrs)
                    && let syn::Type::Path(of) = &*it.self_ty
                    && let Some(last) = of.path.segments.last()
                {
                    let to = members.entry(last.ident.to_string()).or_default();
                    to.extend(it.items.iter().filter_map(member));
                }
                return Ok(());
            }
            Item::Use(it) => {
                if !is_left_out(&it.attrs) {
                    let mut names = Vec::new();
                    let mut globs = Vec::new();
                    flatten(&it.tree, &mut Vec::new(), &mut names, &mut globs);
                    if is_public(&it.vis) {
                        self.globs.extend(globs);
                        self.public.extend(names.iter().map(|(name, _)| name.clone()));
                    }
                    self.uses.extend(names);
                }
                return Ok(());
            }
            Item::Mod(it) => {
                if is_left_out(&it.attrs) {
                    return Ok(());
                }
                let name = it.ident.to_string();
                let below = dir.join(&name);
                let (text, items) = match &it.content {
                    Some((_, items)) => (self.text.clone(), items.clone()),
                    None => {
                        let beside = dir.join(format!("{name}.rs"));
                        let file = [beside, below.join("mod.rs")];
                        let file: Option<&PathBuf> = file.iter().find(|file| file.exists());
                        let file =
                            file.ok_or_else(|| format!("{}: no such file", below.display()))?;
                        let text = fs::read_to_string(file)?;
                        let items = syn::parse_file(&text)
                            .map_err(|error| format!("{}: {error}", file.display()))?
                            .items;
                        (text, items)
                    }
                };
                if is_public(&it.vis) {
                    self.public.insert(name.clone());
                }
                self.modules.insert(name, Self::read(text, items, &below, members)?);
                return Ok(());
            }
            // Macros; whatever else Rust will have needs no example before it is known here.
            Item::ExternCrate(_) | Item::ForeignMod(_) | Item::Macro(_) | _ => return Ok(()),
        };
        if !is_left_out(attrs) {
            if is_public(vis) {
                self.public.insert(name.clone());
            }
            self.items.insert(name, (is_type, docs(attrs)));
        }
        Ok(())
    }
}

/// A public method or constant.
fn member(item: &ImplItem) -> Option<Public> {
    let (attrs, vis, name) = match item {
        ImplItem::Fn(it) => (&it.attrs, &it.vis, it.sig.ident.to_string()),
        ImplItem::Const(it) => (&it.attrs, &it.vis, it.ident.to_string()),
        ImplItem::Type(_) | ImplItem::Macro(_) | _ => return None,
    };
    let shown = is_public(vis) && !is_left_out(attrs);
    shown.then(|| Public { name, is_type: false, docs: docs(attrs) })
}

fn is_public(vis: &Visibility) -> bool {
    matches!(vis, Visibility::Public(_))
}

/// For tests only, or hidden.
fn is_left_out(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| match &attr.meta {
        Meta::List(list) => {
            let inside = list.tokens.to_string();
            let test = inside.split(|c: char| !c.is_alphanumeric()).any(|word| word == "test");
            (list.path.is_ident("cfg") && test && !inside.contains("any"))
                || (list.path.is_ident("doc") && inside == "hidden")
        }
        Meta::Path(_) | Meta::NameValue(_) => false,
    })
}

fn docs(attrs: &[Attribute]) -> String {
    let mut text = String::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("doc")) {
        if let Meta::NameValue(pair) = &attr.meta
            && let Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) = &pair.value
        {
            text.push_str(&line.value());
            text.push('\n');
        }
    }
    text
}

/// The names a `use` brings in, with their paths, and the modules it takes whole.
fn flatten(
    tree: &UseTree,
    way: &mut Vec<String>,
    names: &mut Vec<(String, Vec<String>)>,
    globs: &mut Vec<Vec<String>>,
) {
    let with = |way: &[String], last: String| [way, &[last]].concat();
    match tree {
        UseTree::Path(path) => {
            way.push(path.ident.to_string());
            flatten(&path.tree, way, names, globs);
            way.pop();
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            names.push((name.clone(), with(way, name)));
        }
        UseTree::Rename(both) => {
            names.push((both.rename.to_string(), with(way, both.ident.to_string())));
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, way, names, globs);
            }
        }
        UseTree::Glob(_) => globs.push(way.clone()),
    }
}

/// A type that stands in a macro of ours: its documentation is the lines above it.
fn made_by_macro(text: &str, name: &str) -> Option<(bool, String)> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| {
        let rest = line.strip_prefix("pub enum ").or_else(|| line.strip_prefix("pub struct "));
        rest.and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })?;
    let above = lines[..at]
        .iter()
        .rev()
        .take_while(|line| line.starts_with("///") || line.starts_with("#["));
    let mut docs: Vec<&str> = above.filter_map(|line| line.strip_prefix("///")).collect();
    docs.reverse();
    Some((true, docs.join("\n")))
}

#[cfg(test)]
mod tests;
