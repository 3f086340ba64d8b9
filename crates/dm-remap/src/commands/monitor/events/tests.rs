use std::collections::BTreeSet;

use super::*;

const ALL: [Kind; 6] =
    [Kind::State, Kind::Lost, Kind::Retired, Kind::HealthWarning, Kind::HealthCritical, Kind::FullSoon];

#[test]
fn each_kind_has_a_message_id_of_its_own_and_all_are_documented() {
    let ids: BTreeSet<_> = ALL.iter().map(|kind| kind.message_id()).collect();
    assert_eq!(ids.len(), ALL.len());
    let docs = include_str!("../../../../../../docs/monitoring.md");
    for kind in ALL {
        let id = kind.message_id();
        assert!(id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{id}");
        let row = format!("| `{}` | `{id}` |", kind.name());
        assert!(docs.contains(&row), "docs/monitoring.md lacks {row}");
    }
}

#[test]
fn a_change_of_state_says_what_it_means() {
    let set = Set { name: "s", uuid: "u" };
    assert_eq!(set.state("active", "active"), None);
    let event = set.state("active", "failing").unwrap();
    assert_eq!((event.priority, &*event.before, &*event.value), (Priority::Critical, "active", "failing"));
    assert!(event.message.starts_with("s: the main disk answers nowhere"), "{}", event.message);
    assert_eq!(set.state("failing", "active").unwrap().priority, Priority::Notice);
}
