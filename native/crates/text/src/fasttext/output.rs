//! From a hidden vector to labels: softmax, one sigmoid for each label, or a Huffman tree of sigmoids.

use super::Prediction;
use super::matrix::Matrix;

pub enum Output {
    Softmax,
    /// Negative sampling and one-versus-all: the same in prediction.
    Independent {
        name: &'static str,
        sigmoids: Vec<f32>,
    },
    Tree(Vec<Node>),
}

pub struct Node {
    count: i64,
    /// Both children, of the inner nodes.
    children: Option<(usize, usize)>,
}

impl Output {
    pub fn new(loss: i32, label_counts: &[i64]) -> Result<Self, String> {
        match loss {
            1 => Ok(Self::Tree(huffman_tree(label_counts))),
            2 => Ok(Self::Independent {
                name: "ns",
                sigmoids: sigmoid_table(),
            }),
            3 => Ok(Self::Softmax),
            4 => Ok(Self::Independent {
                name: "ova",
                sigmoids: sigmoid_table(),
            }),
            _ => Err(format!("no loss has the number {loss}")),
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Softmax => "softmax",
            Self::Independent { name, .. } => name,
            Self::Tree(_) => "hs",
        }
    }

    pub fn predict(
        &self,
        weights: &Matrix,
        hidden: &[f32],
        most: usize,
        threshold: f32,
    ) -> Vec<Prediction> {
        let mut found: Vec<(u32, f32)> = match self {
            Self::Tree(nodes) => tree_scores(nodes, weights, hidden, threshold),
            _ => {
                let mut scores: Vec<f32> = (0..weights.rows())
                    .map(|row| weights.dot_row(row, hidden))
                    .collect();
                match self {
                    Self::Independent { sigmoids, .. } => {
                        scores
                            .iter_mut()
                            .for_each(|score| *score = looked_up(sigmoids, *score));
                    }
                    _ => softmax(&mut scores),
                }
                (0..)
                    .zip(scores)
                    .filter(|&(_, score)| score >= threshold)
                    .map(|(label, score)| (label, guarded_log(score)))
                    .collect()
            }
        };
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found.truncate(most);
        found
            .into_iter()
            .map(|(label, score)| (label, score.exp()))
            .collect()
    }
}

/// fastText's `std_log`: it never sees a zero, and adds 1e-5 to every probability that it tells.
fn guarded_log(x: f32) -> f32 {
    (f64::from(x) + 1e-5).ln() as f32
}

fn softmax(scores: &mut [f32]) {
    let highest = scores.iter().copied().fold(f32::MIN, f32::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = f64::from(*score - highest).exp() as f32;
        sum += *score;
    }
    scores.iter_mut().for_each(|score| *score /= sum);
}

const TABLE: usize = 512;
const WIDEST: f32 = 8.0;

fn sigmoid_table() -> Vec<f32> {
    (0..=TABLE)
        .map(|i| {
            let x = (i as f32 * 2.0 * WIDEST) / TABLE as f32 - WIDEST;
            1.0 / (1.0 + (-x).exp())
        })
        .collect()
}

fn looked_up(table: &[f32], x: f32) -> f32 {
    if x < -WIDEST {
        return 0.0;
    }
    if x > WIDEST {
        return 1.0;
    }
    table[((x + WIDEST) * TABLE as f32 / WIDEST / 2.0) as usize]
}

/// `HierarchicalSoftmaxLoss::buildTree`: labels first, in the order of the dictionary (commonest first), then inner
/// nodes, the last of them the root.
fn huffman_tree(counts: &[i64]) -> Vec<Node> {
    let labels = counts.len();
    let mut nodes: Vec<Node> = (0..2 * labels - 1)
        .map(|i| Node {
            count: counts.get(i).copied().unwrap_or(1_000_000_000_000_000),
            children: None,
        })
        .collect();
    let (mut next_leaf, mut next_inner) = (labels, labels);
    for inner in labels..nodes.len() {
        let mut rarest = || {
            if next_leaf > 0
                && (next_inner >= inner || nodes[next_leaf - 1].count < nodes[next_inner].count)
            {
                next_leaf -= 1;
                next_leaf
            } else {
                next_inner += 1;
                next_inner - 1
            }
        };
        let (left, right) = (rarest(), rarest());
        nodes[inner].count = nodes[left].count.saturating_add(nodes[right].count);
        nodes[inner].children = Some((left, right));
    }
    nodes
}

fn tree_scores(
    nodes: &[Node],
    weights: &Matrix,
    hidden: &[f32],
    threshold: f32,
) -> Vec<(u32, f32)> {
    let labels = nodes.len().div_ceil(2);
    let least = guarded_log(threshold);
    let mut found = Vec::new();
    let mut open = vec![(nodes.len() - 1, 0f32)];
    while let Some((node, score)) = open.pop() {
        // No number at all comes from an overflow in a broken model.
        if score.is_nan() || score < least {
            continue;
        }
        let Some((left, right)) = nodes[node].children else {
            found.push((node as u32, score));
            continue;
        };
        let x = weights.dot_row(node - labels, hidden);
        let turn = 1.0 / (1.0 + f64::from(-x).exp()) as f32;
        open.push((right, score + guarded_log(turn)));
        open.push((left, score + guarded_log(1.0 - turn)));
    }
    found
}
