//! How scenarios become boots.

use super::{Boot, Disk, Scenario, boots, choose};

fn scenario(name: &str) -> Scenario {
    Scenario {
        name: name.into(),
        about: String::new(),
        steps: vec!["all".into()],
        own_boot: false,
        only_if_named: false,
        needs_zfs: false,
        needs_target: false,
        disks: Vec::new(),
        expected_in_log: Vec::new(),
        memory_mib: 1024,
        cpus: 2,
        limit_seconds: 60,
    }
}

fn names<'a>(boots: &'a [Boot]) -> Vec<(&'a str, Vec<&'a str>)> {
    let of = |boot: &'a Boot| boot.scenarios.iter().map(|scenario| &*scenario.name).collect();
    boots.iter().map(|boot| (&*boot.name, of(boot))).collect()
}

#[test]
fn what_may_share_a_boot_does_and_what_needs_our_target_keeps_to_itself() {
    let all = [
        scenario("a"),
        Scenario { needs_target: true, ..scenario("b") },
        Scenario { own_boot: true, ..scenario("c") },
        scenario("d"),
        Scenario { disks: vec![Disk { name: "main".into(), mebibytes: 64 }], ..scenario("e") },
    ];
    let boots = boots(&all.iter().collect::<Vec<_>>());
    assert_eq!(
        names(&boots),
        [("shared", vec!["a", "d"]), ("target", vec!["b"]), ("own-c", vec!["c"]), ("own-e", vec!["e"])]
    );
    assert_eq!(boots[0].limit_seconds(), 120);
}

#[test]
fn each_step_is_a_guest_of_its_own() {
    let all = [Scenario { steps: vec!["write".into(), "check".into()], ..scenario("a") }, scenario("b")];
    let boots = boots(&all.iter().collect::<Vec<_>>());
    assert_eq!(boots[0].guests(), [["b/all"]]);
    assert_eq!(boots[1].guests(), [["a/write"], ["a/check"]]);
}

#[test]
fn a_name_that_is_none_is_an_error_and_no_name_means_all() {
    let all = [scenario("a"), scenario("b")];
    assert_eq!(choose(&all, &[]).unwrap().len(), 2);
    assert_eq!(choose(&all, &["b".into()]).unwrap()[0].name, "b");
    assert!(choose(&all, &["c".into()]).is_err());
}

#[test]
fn some_are_played_only_when_they_are_named() {
    let all = [scenario("a"), Scenario { only_if_named: true, ..scenario("b") }];
    let names = |wanted: &[&str]| {
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        choose(&all, &wanted).unwrap().iter().map(|chosen| chosen.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), ["a"]);
    assert_eq!(names(&["b"]), ["b"]);
}
