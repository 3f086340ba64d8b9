//! A real Prometheus scrapes the monitor, takes the alert rules, and answers every query of the dashboard.

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::Play;
use support::scrape::Monitor;

/// A server on a port of its own.
struct Prometheus {
    child: Child,
    address: String,
}

impl Prometheus {
    /// Scrapes `target` every second, with the project's alert rules.
    fn start(play: &Play, target: &str) -> Self {
        // Between asking for a free port and taking it, another may take it: then the server ends and the test fails.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        fs::copy(packaging("prometheus/dm-remap.rules.yml"), play.path("rules.yml")).unwrap();
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [rules.yml]\n\
             scrape_configs: [{{job_name: dm-remap, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        fs::write(play.path("prometheus.yml"), config).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", play.path("prometheus.yml")))
            .arg(format!("--storage.tsdb.path={}", play.path("data")))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus is needed: cargo xtask setup installs it");
        Self { child, address }
    }

    /// What the server answers to `path`; `None` while it does not listen yet.
    fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: prometheus\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        serde_json::from_str(body).ok()
    }

    fn query(&self, expression: &str) -> Option<Value> {
        use std::fmt::Write as _;
        let mut encoded = String::new();
        for byte in expression.bytes() {
            write!(encoded, "%{byte:02x}").unwrap();
        }
        self.get(&format!("/api/v1/query?query={encoded}"))
    }

    /// Asks until `is_enough` of the series that answer, for half a minute.
    fn series(&self, expression: &str, is_enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let answer = self.query(expression);
            let found = answer.as_ref().and_then(|answer| answer["data"]["result"].as_array());
            match found {
                Some(series) if is_enough(series) => return series.clone(),
                _ if Instant::now() < until => std::thread::sleep(Duration::from_millis(200)),
                _ => panic!("{expression}: {answer:?}"),
            }
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn packaging(file: &str) -> String {
    format!("{}/../../packaging/{file}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_query_of_the_dashboard_is_answered() {
    let play = Play::with_set("");
    play.ok(&["open", "s"]);
    let monitor = Monitor::start(&play, &[]);
    let prometheus = Prometheus::start(&play, &monitor.address());
    prometheus.series("dm_remap_up", |series| series.len() == 1 && series[0]["metric"]["name"] == "s");
    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string(packaging("grafana/dm-remap.json")).unwrap()).unwrap();
    let mut queries = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let asked = expression.replace("$instance", ".*").replace("$name", ".*");
            // No forecast is told in the first hour; the query must make sense all the same.
            let may_be_empty = expression.contains("dm_remap_full_in_seconds");
            prometheus.series(&asked, |series| may_be_empty || !series.is_empty());
            queries += 1;
        }
    }
    assert!(queries >= 10, "{queries} queries");
}

#[test]
fn alert_rules_are_taken_and_a_lost_sector_fires() {
    let play = Play::with_set("bad 40 1\n");
    play.ok(&["open", "s"]);
    let mut client = support::nbd::Client::connect(&play.socket()).unwrap();
    assert!(client.read(40 * 512, &mut [0; 512]).unwrap().is_err());
    let monitor = Monitor::start(&play, &[]);
    let prometheus = Prometheus::start(&play, &monitor.address());
    prometheus.series("ALERTS{alertname=\"DmRemapLost\",alertstate=\"firing\"}", |series| !series.is_empty());
    let rules = prometheus.get("/api/v1/rules").unwrap();
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap();
    assert!(rules.len() >= 9 && rules.iter().all(|rule| rule["health"] == "ok"), "{rules:?}");
}
