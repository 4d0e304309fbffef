//! A container's variables.

use shellproof_api::{ContainerSpec, ImageConfig};

/// Where programs are looked for if neither says so, as engines have it.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The variables: the image's, those of the container on top, and what engines see to.
pub(crate) fn env(spec: &ContainerSpec, image: &ImageConfig, hostname: &str, home: &str) -> Vec<String> {
    let mut env: Vec<String> = Vec::new();
    let mut set = |one: String, replaces: bool| {
        let name = one.split('=').next().unwrap_or_default().to_owned();
        let there = env
            .iter_mut()
            .find(|other| other.split('=').next() == Some(&name));
        match there {
            Some(there) if replaces => *there = one,
            Some(_) => {}
            None => env.push(one),
        }
    };
    for one in &image.env {
        set(one.clone(), true);
    }
    for (name, value) in &spec.env {
        set(format!("{name}={value}"), true);
    }
    set(PATH.to_owned(), false);
    set(format!("HOSTNAME={hostname}"), false);
    set(format!("HOME={home}"), false);
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn variables_are_each_there_once() {
        let image = ImageConfig {
            env: words(&["A=image", "B=image", "PATH=/bin"]),
            ..ImageConfig::default()
        };
        let spec = ContainerSpec {
            env: vec![("B".into(), "own=1".into()), ("HOME".into(), "/h".into())],
            ..ContainerSpec::default()
        };
        assert_eq!(
            env(&spec, &image, "host", "/root"),
            words(&["A=image", "B=own=1", "PATH=/bin", "HOME=/h", "HOSTNAME=host"])
        );
    }
}
