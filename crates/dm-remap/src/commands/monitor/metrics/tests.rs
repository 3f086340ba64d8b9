use super::*;
use crate::commands::monitor::look::{HALTED, UNREACHABLE};

fn silent(name: &str, state: &str) -> Look {
    Look { name: name.into(), uuid: "u".into(), state: state.into(), status: None, full_in_s: None }
}

#[test]
fn labels_are_escaped_as_the_format_says() {
    assert_eq!(escaped("a\\b\"c\nd"), r#"a\\b\"c\nd"#);
    let text = show(&[silent("a\"\n", UNREACHABLE)], 7);
    assert!(text.contains("dm_remap_up{name=\"a\\\"\\n\",uuid=\"u\"} 0\n"), "{text}");
}

#[test]
fn a_set_is_in_one_state_whether_it_answers_or_not() {
    let text = show(&[silent("s", HALTED)], 7);
    let states: Vec<&str> = text.lines().filter(|line| line.starts_with("dm_remap_state{")).collect();
    assert_eq!(states.len(), STATES.len());
    let ones: Vec<_> = states.iter().filter(|line| line.ends_with(" 1")).collect();
    assert_eq!(ones, [&"dm_remap_state{name=\"s\",uuid=\"u\",state=\"halted\"} 1"]);
}

#[test]
fn each_metric_has_its_help_and_type_once_and_before_it() {
    let text = show(&[silent("s", UNREACHABLE)], 7);
    let mut known = Vec::new();
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let name = kind.split(' ').next().unwrap().to_owned();
            assert!(!known.contains(&name), "{name} twice");
            known.push(name);
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            assert_eq!(known.last().map(String::as_str), Some(name));
        }
    }
    assert_eq!(text.matches("# HELP ").count(), known.len());
}

#[test]
fn without_sets_there_is_still_the_time_of_the_look() {
    assert!(show(&[], 1234).contains("\ndm_remap_monitor_last_look_timestamp_seconds 1234\n"));
}
