//! The table.

use std::time::Duration;

/// What has been printed of it.
pub struct Table {
    /// How many aims were missed.
    pub missed: usize,
}

impl Table {
    pub fn begin() -> Self {
        let mut table = Self { missed: 0 };
        table.row(["what", "engine", "shellproof", "bare", "ratio", "aim"], None);
        println!("|---|---|---:|---:|---:|---:|---|");
        table
    }

    /// How much longer it takes; without an aim for information.
    pub fn ratio(&mut self, what: &str, engine: &str, (ours, bare): (Duration, Duration), most: Option<f64>) {
        let ratio = ours.as_secs_f64() / bare.as_secs_f64();
        let aim = most.map_or_else(String::new, |most| format!("<= {most:.2}"));
        let [ours, bare] = times(ours, bare);
        let cells = [what, engine, &ours, &bare, &format!("{ratio:.2}"), &aim];
        self.row(cells, most.map(|most| ratio <= most));
    }

    /// How many milliseconds it adds.
    pub fn added(&mut self, what: &str, engine: &str, (ours, bare): (Duration, Duration), most: f64) {
        let added = (ours.as_secs_f64() - bare.as_secs_f64()) * 1e3;
        let [ours, bare] = times(ours, bare);
        let (shown, aim) = (format!("{added:+.2}"), format!("<= +{most}"));
        self.row([what, engine, &ours, &bare, &shown, &aim], Some(added <= most));
    }

    /// Something that is compared with nothing.
    pub fn alone(&mut self, what: &str, engine: &str, value: f64, unit: &str, most: f64) {
        let (shown, aim) = (format!("{value:.2} {unit}"), format!("<= {most} {unit}"));
        self.row([what, engine, &shown, "-", "-", &aim], Some(value <= most));
    }

    fn row(&mut self, [what, engine, ours, bare, ratio, aim]: [&str; 6], is_met: Option<bool>) {
        let verdict = is_met.map_or("", |is_met| if is_met { "ok" } else { "missed" });
        self.missed += usize::from(is_met == Some(false));
        println!(
            "| {what:<46} | {engine:<17} | {ours:>10} | {bare:>10} | {ratio:>8} | {aim:>8} | {verdict:<6} |"
        );
    }
}

/// Both in one unit.
fn times(ours: Duration, bare: Duration) -> [String; 2] {
    let (factor, unit) = if ours.max(bare) < Duration::from_millis(100) {
        (1e3, "ms")
    } else {
        (1.0, "s")
    };
    [ours, bare].map(|time| format!("{:.2} {unit}", time.as_secs_f64() * factor))
}
