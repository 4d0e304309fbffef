//! A program that uses an engine through testcontainers, as the tests of other projects do.
//!
//! `testcontainers-client REPOSITORY TAG [exec]` runs a container of the image, with a program in it or two.

use testcontainers::core::{ExecCommand, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{GenericImage, ImageExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (repository, tag, execs) = match words.as_slice() {
        [repository, tag] => (repository, tag, false),
        [repository, tag, word] if word == "exec" => (repository, tag, true),
        _ => return Err("usage: testcontainers-client REPOSITORY TAG [exec]".into()),
    };
    let image = GenericImage::new(repository, tag)
        .with_wait_for(WaitFor::Nothing)
        .with_cmd(["sleep", "9"]);
    let container = image.start().await?;
    if execs {
        let mut said = container.exec(ExecCommand::new(["/tiny", "echo", "hi"])).await?;
        println!("{}", String::from_utf8_lossy(&said.stdout_to_vec().await?));
    }
    container.stop_with_timeout(Some(0)).await?;
    container.rm().await?;
    Ok(())
}
