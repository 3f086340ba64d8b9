//! Which disk a name means.

use std::fs;

use remap_core::{DiskError, Sector};

use super::*;

fn parse(spec: &str) -> Result<DiskSpec, String> {
    DiskSpec::parse(OsStr::new(spec)).map_err(|error| error.to_string())
}

#[test]
fn a_path_is_a_path_and_a_faulty_disk_says_so() {
    let plain = |path: &str| Ok(DiskSpec::Plain(path.into()));
    assert_eq!(parse("/dev/sda"), plain("/dev/sda"));
    assert_eq!(parse("a:b,faults=c"), plain("a:b,faults=c"));
    assert_eq!(parse("./faulty:x"), plain("./faulty:x"));
    let faulty = DiskSpec::Faulty { path: "a,faults=b".into(), faults: "s:1".into() };
    assert_eq!(parse("faulty:a,faults=b,faults=s:1"), Ok(faulty.clone()));
    assert_eq!(faulty.to_string(), "faulty:a,faults=b,faults=s:1");
}

#[test]
fn a_name_that_lacks_something_is_refused_with_what_it_lacks() {
    assert!(parse("").unwrap_err().contains("empty name"));
    assert!(
        parse("faulty:x").unwrap_err().starts_with("`faulty:x` lacks `,faults=`: a faulty disk is named")
    );
    assert!(parse("faulty:,faults=s").unwrap_err().contains("lacks the path of the disk"));
    assert!(parse("faulty:x,faults=").unwrap_err().contains("lacks the path of the fault script"));
}

#[test]
fn a_name_is_opened_with_its_faults() {
    let dir = tempfile::tempdir().unwrap();
    let (image, script) = (dir.path().join("disk"), dir.path().join("faults"));
    fs::write(&image, vec![1; 65536]).unwrap();
    fs::write(&script, "bad 8 8\n").unwrap();
    let spec = format!("faulty:{},faults={}", image.display(), script.display());
    let disk = open_spec(&spec, &OpenOptions::default()).unwrap();
    let mut data = vec![0; 4096];
    assert_eq!(disk.read(Sector(0), &mut data), Ok(()));
    assert_eq!(disk.read(Sector(8), &mut data), Err(DiskError::Medium));
    assert_eq!(disk.path(), Some(image.as_path()));
    drop(disk);
    fs::write(&script, "bad 8\n").unwrap();
    assert!(matches!(open_spec(&spec, &OpenOptions::default()), Err(SpecError::Faults(_))));
    assert!(matches!(open_spec(dir.path(), &OpenOptions::default()), Err(SpecError::Open(_))));
}
