//! What is run again: what an engine may have lost, and what rested on a witness that was not there.

use shellproof_fake::Behaviour;

use super::*;
use crate::engines::EngineError;

const WRITES: &str =
    "    expect: { exit: 0, stdout: { equals: \"hi\\n\" }, stderr: { not_contains: ERROR } }";

#[tokio::test]
async fn only_missing_output_may_have_been_lost() {
    let hi = || Behaviour::exit(0).stdout("hi\n");
    for (behaviour, expected) in [
        (Behaviour::exit(0), true),
        (Behaviour::exit(0).stdout("h"), true),
        // Nothing is missing, more would not help, or something else is wrong too.
        (hi(), false),
        (Behaviour::exit(0).stdout("ho\n"), false),
        (hi().stderr("ERROR"), false),
        (Behaviour::exit(1), false),
    ] {
        let ran = run(fake(behaviour.clone()).losing_output(), &job(WRITES)).await;
        assert_eq!(ran.may_have_lost_output, expected, "{behaviour:?}");
        let ran = run(fake(behaviour), &job(WRITES)).await;
        assert!(!ran.may_have_lost_output, "this engine loses nothing");
    }
}

#[tokio::test]
async fn nothing_is_kept_of_what_is_run_again() {
    for (fake, is_kept) in [
        (fake(Behaviour::exit(0)), true),
        (fake(Behaviour::exit(0)).losing_output(), false),
    ] {
        let bench = Bench {
            options: RunOptions {
                keep: true,
                ..RunOptions::default()
            },
            ..Bench::default()
        };
        let ran = bench.run(fake, &job(WRITES)).await;
        assert_eq!(!ran.left.is_empty(), is_kept, "{:?}", ran.left);
    }
}

#[tokio::test]
async fn what_follows_an_attempt() {
    let attempt = async |behaviour: Behaviour| {
        let ran = run(fake(behaviour).losing_output(), &job(WRITES)).await;
        Attempt {
            may_have_lost_output: ran.may_have_lost_output,
            result: ran.result,
        }
    };
    let (silent, mut violated) = (
        attempt(Behaviour::exit(0)).await,
        attempt(Behaviour::exit(0)).await,
    );
    violated.result.judgement = None;
    let whole = attempt(Behaviour::exit(0).stdout("hi\n")).await;
    let no_listener = || Ok(Err("no listener".to_owned()));
    assert_eq!(next(&whole, true, Ok(Ok(()))), Next::Done);
    assert_eq!(next(&silent, true, Ok(Ok(()))), Next::ForOutput);
    assert_eq!(next(&violated, true, Ok(Ok(()))), Next::Done);
    assert_eq!(next(&whole, true, no_listener()), Next::WithoutKernel);
    assert_eq!(next(&whole, false, no_listener()), Next::Done);
    let dead = EngineError::DeadWitness {
        name: "fake".into(),
        reason: "it saw nothing".into(),
    };
    let Next::Unfit(reason) = next(&silent, true, Err(dead)) else {
        panic!("a dead witness proves nothing");
    };
    let result = unfit(whole.result, reason);
    assert_eq!(result.judgement, None);
    assert_eq!(
        result.broken.as_deref(),
        Some("nothing can be proven on engine `fake`: it saw nothing")
    );
}
