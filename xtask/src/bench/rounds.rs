//! Several contenders measured in alternated rounds, and the table of their medians and ratios.
//!
//! The speed of a machine drifts within minutes, so figures are compared within a round only: a ratio is the
//! median of the rounds' ratios, not the ratio of medians.

use std::fmt;

use anyhow::{Result, ensure};

/// Something to measure.
pub struct Contender<'a> {
    name: String,
    measure: Box<dyn FnMut() -> Result<f64> + 'a>,
}

impl<'a> Contender<'a> {
    /// `measure` does one round and returns its figure, which is above zero.
    pub fn new(name: impl Into<String>, measure: impl FnMut() -> Result<f64> + 'a) -> Self {
        Self { name: name.into(), measure: Box::new(measure) }
    }
}

/// The figures of every round.
#[derive(Debug)]
pub struct Results {
    unit: String,
    rows: Vec<Row>,
}

/// One contender's figures.
#[derive(Debug, PartialEq)]
pub struct Row {
    pub name: String,
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
    /// Against the first contender.
    pub ratio: f64,
}

/// Measures each contender once a round. Each round starts with another one, so that none always runs after
/// the same neighbour.
pub fn alternate(unit: &str, rounds: usize, mut contenders: Vec<Contender>) -> Result<Results> {
    ensure!(rounds > 0 && !contenders.is_empty(), "nothing to measure");
    let count = contenders.len();
    let mut figures = vec![Vec::with_capacity(rounds); count];
    for round in 0..rounds {
        for turn in 0..count {
            let index = (round + turn) % count;
            let Contender { name, measure } = &mut contenders[index];
            let figure = measure()?;
            ensure!(figure > 0.0, "{name} measured {figure} {unit}");
            println!("round {} of {rounds}: {name}: {figure:.1} {unit}", round + 1);
            figures[index].push(figure);
        }
    }
    let row = |(contender, own): (&Contender, &Vec<f64>)| Row {
        name: contender.name.clone(),
        median: median(own),
        lowest: own.iter().copied().fold(f64::INFINITY, f64::min),
        highest: own.iter().copied().fold(0.0, f64::max),
        ratio: median(&own.iter().zip(&figures[0]).map(|(own, first)| own / first).collect::<Vec<_>>()),
    };
    let rows = contenders.iter().zip(&figures).map(row).collect();
    Ok(Results { unit: unit.to_owned(), rows })
}

impl Results {
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        writeln!(f, "{:width$}  {:>12}  {:>12}  {:>12}  ratio", self.unit, "median", "lowest", "highest")?;
        for Row { name, median, lowest, highest, ratio } in &self.rows {
            writeln!(f, "{name:width$}  {median:12.1}  {lowest:12.1}  {highest:12.1}  {ratio:5.2}")?;
        }
        Ok(())
    }
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

#[cfg(test)]
mod tests;
