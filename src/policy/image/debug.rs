//! Variants of images for finding mistakes: they have what the image itself is to be without.

use shellproof_api::facts::ImageContent;

use super::files::is_shell;
use super::{Finding, Rule};

/// Where the debug variants of distroless images have their shell.
const PLACE: &str = "/busybox/";

/// What says that an image is such a variant; `is_refused` where it must not be one.
pub(super) fn judge(is_refused: bool, image: &ImageContent) -> Option<Finding> {
    let rule = match is_refused {
        true => Rule::DebugImage,
        false => Rule::DebugVariant,
    };
    // A layout's names may be tags alone.
    let is_alone = |name: &str| !name.contains(['/', ':']);
    let mut names = image.configuration.names.iter();
    let by_name = names.find(|name| is_debug_name(name) || is_alone(name) && is_debug_tag(name));
    let mut programs = image.programs.iter().filter(|one| one.path.starts_with(PLACE));
    let detail = match (by_name, programs.find(|one| is_shell(one))) {
        (Some(name), _) => format!("it is a debug variant, by its name `{name}`"),
        (None, Some(program)) => format!("it is a debug variant, by its shell `{}`", program.path),
        (None, None) => return None,
    };
    Some(
        Finding::new(rule, detail)
            .help("use the variant without `debug` in its tag, and keep this one for finding mistakes"),
    )
}

/// Whether an image's name has a tag of which `debug` is a word: `debug`, `debug-nonroot`, `17.5-debug`.
pub(crate) fn is_debug_name(name: &str) -> bool {
    let name = name.split('@').next().unwrap_or_default();
    let last = name.rsplit('/').next().unwrap_or_default();
    let tag = last.split_once(':').map(|(_, tag)| tag);
    tag.is_some_and(is_debug_tag)
}

fn is_debug_tag(tag: &str) -> bool {
    tag.split(['-', '.', '_'])
        .any(|word| word.eq_ignore_ascii_case("debug"))
}

#[cfg(test)]
mod tests {
    use shellproof_api::facts::{ImageProgram, Likeness};

    use super::*;

    #[test]
    fn a_tag_says_so_and_nothing_else_of_a_name() {
        for name in [
            "x:debug",
            "gcr.io/distroless/base:debug-nonroot",
            "localhost:5000/x:17.5-debug@sha256:0",
            "x:1_DEBUG",
        ] {
            assert!(is_debug_name(name), "{name}");
        }
        for name in [
            "x",
            "debug",
            "debug:1",
            "debug:5000/x",
            "x:debugger",
            "x:nodebug",
            "x@sha256:debug",
            "fixture:x",
        ] {
            assert!(!is_debug_name(name), "{name}");
        }
    }

    #[test]
    fn a_shell_where_distroless_images_have_theirs_says_so_too() {
        let mut image = ImageContent::default();
        let rule = |is_refused, image: &ImageContent| judge(is_refused, image).map(|found| found.rule);
        assert_eq!(rule(true, &image), None);
        let program = |path: &str, likeness| ImageProgram {
            path: path.into(),
            mode: 0o755,
            size: 1,
            likeness,
            ..ImageProgram::default()
        };
        image.programs = vec![
            program("/busybox/README", None),
            program("/opt/busybox/sh", Some(Likeness::MultiCall)),
        ];
        assert_eq!(rule(true, &image), None);
        image
            .programs
            .push(program("/busybox/busybox", Some(Likeness::MultiCall)));
        assert_eq!(rule(true, &image), Some(Rule::DebugImage));
        assert_eq!(rule(false, &image), Some(Rule::DebugVariant));
        image.programs.clear();
        for name in ["x:1-debug", "1-debug"] {
            image.configuration.names = vec!["x:1".into(), name.into()];
            assert_eq!(rule(true, &image), Some(Rule::DebugImage));
        }
        image.configuration.names = vec!["x/debug".into()];
        assert_eq!(rule(true, &image), None);
    }
}
