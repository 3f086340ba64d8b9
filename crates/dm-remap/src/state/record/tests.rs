use super::Record;
use crate::via::Via;

fn record() -> Record {
    Record::new("a", "7".into(), "/dev/x".into(), vec!["faulty:/s,faults=/f".into()], Via::Kernel)
}

#[test]
fn what_was_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    assert_eq!(Record::read(&path).unwrap(), None);
    record().write(&path, false).unwrap();
    assert_eq!(Record::read(&path).unwrap(), Some(record()));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing half-written stays behind");
}

#[test]
fn a_record_is_replaced_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    record().write(&path, false).unwrap();
    let other = Record { main: "/dev/y".into(), ..record() };
    assert!(other.write(&path, false).is_err());
    assert_eq!(Record::read(&path).unwrap(), Some(record()));
    other.write(&path, true).unwrap();
    assert_eq!(Record::read(&path).unwrap(), Some(other));
}

#[test]
fn what_is_no_record_is_told_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    for text in ["", "{}", "[]", "{\"version\": 1}"] {
        std::fs::write(&path, text).unwrap();
        assert!(Record::read(&path).unwrap_err().to_string().contains("a.json"));
    }
    let newer = serde_json::to_string(&Record { version: 2, ..record() }).unwrap();
    std::fs::write(&path, newer).unwrap();
    assert!(Record::read(&path).unwrap_err().to_string().contains("another version"));
}

#[test]
fn sets_of_records_that_do_not_say_where_run_in_user_space() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    let text = r#"{"version": 1, "name": "a", "set": "7", "main": "/dev/x", "spares": ["/dev/y"]}"#;
    std::fs::write(&path, text).unwrap();
    assert_eq!(Record::read(&path).unwrap().unwrap().via, Via::Nbd);
}
