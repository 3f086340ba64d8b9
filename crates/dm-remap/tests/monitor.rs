//! What Prometheus sees of a set that is served in user space, while its main disk fails.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use support::Play;
use support::metrics::Metrics;
use support::nbd::Client;

/// One look into a file.
fn look(play: &Play) -> Metrics {
    play.ok(&["monitor", "--textfile", "sets.prom", "--once"]);
    Metrics::parse(&fs::read_to_string(play.path("sets.prom")).unwrap())
}

/// A metric of the set `s`.
fn series(play: &Play, metric: &str) -> String {
    let uuid = play.json(&["status", "s"])["uuid"].as_str().unwrap().to_owned();
    format!("{metric}{{name=\"s\",uuid=\"{uuid}\"}}")
}

#[test]
fn every_figure_of_the_status_is_a_metric() {
    let play = Play::with_set("bad 40 1\nbad-write 800 1\n");
    play.ok(&["open", "s"]);
    let mut client = Client::connect(&play.socket()).unwrap();
    assert!(client.read(40 * 512, &mut [0; 512]).unwrap().is_err());
    client.write(800 * 512, &[7; 512]).unwrap().unwrap();
    let status = play.json(&["status", "s"]);
    let metrics = look(&play);
    let value = |metric: &str| metrics.value(&series(&play, metric)).unwrap_or_else(|| panic!("no {metric}"));
    for (metric, fact) in [
        ("dm_remap_health", "health"),
        ("dm_remap_moved_blocks", "slots_used"),
        ("dm_remap_moved_sectors", "moved_sectors"),
        ("dm_remap_lost_sectors", "lost_sectors"),
        ("dm_remap_slots", "slots_total"),
        ("dm_remap_slots_used", "slots_used"),
        ("dm_remap_slots_retired", "slots_retired"),
        ("dm_remap_read_errors_total", "read_errors"),
        ("dm_remap_write_errors_total", "write_errors"),
        ("dm_remap_metadata_errors_total", "metadata_errors"),
        ("dm_remap_errors_last_hour", "errors_last_hour"),
        ("dm_remap_errors_hour_before", "errors_hour_before"),
        ("dm_remap_generation", "generation"),
    ] {
        assert_eq!(Some(value(metric)), status[fact].as_u64(), "{metric}");
    }
    assert_eq!(value("dm_remap_lost_sectors"), 1);
    for metric in ["dm_remap_moved_sectors", "dm_remap_read_errors_total", "dm_remap_write_errors_total"] {
        assert!(value(metric) > 0, "{metric}");
    }
    assert_eq!((value("dm_remap_spares"), value("dm_remap_spares_missing")), (1, 0));
    assert_eq!(value("dm_remap_up"), 1);
    let state = series(&play, "dm_remap_state").replace('}', ",state=\"active\"}");
    assert_eq!(metrics.value(&state), Some(1));
    assert!(metrics.value("dm_remap_monitor_last_look_timestamp_seconds").unwrap() > 1_600_000_000);
}

#[test]
fn the_file_is_replaced_whole_and_readable_by_the_collector() {
    let play = Play::with_set("");
    fs::write(play.path("sets.prom"), "of old\n".repeat(10_000)).unwrap();
    let before = fs::read_dir(play.folder()).unwrap().count();
    let metrics = look(&play);
    assert_eq!(metrics.samples().count(), 1, "a closed set is told of");
    assert_eq!(fs::metadata(play.path("sets.prom")).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(fs::read_dir(play.folder()).unwrap().count(), before, "something is left beside it");
    play.fails(&["monitor", "--textfile", "no/such/folder.prom", "--once"], 1, "no/such/folder.prom");
}

#[test]
fn a_set_whose_server_was_killed_is_down_until_it_is_opened_again() {
    let play = Play::with_set("");
    play.ok(&["open", "s"]);
    let up = series(&play, "dm_remap_up");
    let unreachable = series(&play, "dm_remap_state").replace('}', ",state=\"unreachable\"}");
    play.kill_server();
    let metrics = look(&play);
    assert_eq!((metrics.value(&up), metrics.value(&unreachable)), (Some(0), Some(1)));
    assert!(metrics.samples().all(|series| !series.starts_with("dm_remap_health")), "a figure nobody told");
    play.ok(&["open", "s"]);
    assert_eq!(look(&play).value(&up), Some(1));
    play.ok(&["close", "s"]);
    assert_eq!(look(&play).value(&up), None);
}

/// The texts of a file of `packaging/` that stand between `before` and the end of the line or of the string.
fn expressions(file: &str, before: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("{}/../../packaging/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    text.lines().filter_map(|line| line.trim().strip_prefix(before).map(str::to_owned)).collect()
}

#[test]
fn alert_rules_and_the_dashboard_ask_for_metrics_that_there_are() {
    let play = Play::with_set("");
    play.ok(&["open", "s"]);
    look(&play);
    let told = fs::read_to_string(play.path("sets.prom")).unwrap();
    let rules = expressions("prometheus/dm-remap.rules.yml", "expr: ");
    let panels = expressions("grafana/dm-remap.json", "\"expr\": ");
    assert!(rules.len() >= 9 && panels.len() >= 10, "{} rules, {} panels", rules.len(), panels.len());
    for expression in rules.iter().chain(&panels) {
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let metrics: Vec<&str> = words.filter(|word| word.starts_with("dm_remap_")).collect();
        assert!(!metrics.is_empty(), "{expression}");
        for metric in metrics {
            assert!(told.contains(&format!("# TYPE {metric} ")), "{metric} of: {expression}");
        }
    }
}
