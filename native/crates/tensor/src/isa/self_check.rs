//! Whether an instruction set computes what the portable kernels do.

use super::Isa;
use crate::context::{Context, Precision};
use crate::element::{Bf16, Floats, FloatsMut};
use crate::gemm::{Matrix, Output, gemm};
use crate::noise::noise;
use crate::{attention, normalise, quantised};

/// Runs a few kernels with this instruction set and with the portable one and compares: a compiler or a CPU that
/// gets the wider one wrong must not train a model.
pub fn self_check(isa: Isa) -> Result<(), String> {
    if isa == Isa::Portable {
        return Ok(());
    }
    let mut results = vec![(probe(isa), probe(Isa::Portable), 1e-4)];
    let blocks = |isa| vec![("quantised product", quantised::probe(isa))];
    results.push((blocks(isa), blocks(Isa::Portable), 1e-3));
    if isa.has_pairs() {
        // The same roundings, but of sums that differ by a little: an output in bf16 may fall to the other side.
        results.push((probe_bf16(isa), probe_bf16(Isa::Portable), 0.01));
    }
    for (wide, plain, tolerance) in &results {
        for (name, got, wanted) in wide.iter().zip(plain).map(|(w, p)| (w.0, &w.1, &p.1)) {
            for (i, (&x, &y)) in got.iter().zip(wanted).enumerate() {
                // The negated comparison also catches not-a-number.
                let close = (x - y).abs() <= tolerance * (1.0 + y.abs());
                if !close {
                    return Err(format!("{name}[{i}] is {x}, not {y}"));
                }
            }
        }
    }
    Ok(())
}

fn probe(isa: Isa) -> Vec<(&'static str, Vec<f32>)> {
    let context = Context::new(isa, 1, Precision::F32);
    let (m, n, k) = (37, 53, 41);
    let (a, b) = (noise(m * k, 1), noise(n * k, 2));
    let mut forward = vec![0.0; m * n];
    gemm(
        &context,
        m,
        n,
        k,
        Matrix::rows(&a[..], k),
        Matrix::columns(&b[..], k),
        Output::new(&mut forward[..], n, false),
    );
    let mut weight = vec![0.0; k * n];
    gemm(
        &context,
        k,
        n,
        m,
        Matrix::columns(&a[..], k),
        Matrix::rows(&forward[..], n),
        Output::new(&mut weight[..], n, false),
    );

    let shape = attention::Shape {
        batch: 1,
        time: 19,
        capacity: 19,
        heads: 2,
        kv_heads: 1,
        head_dim: 20,
        key_length: 19,
        causal: true,
        queries: attention::Lines::alone(2, 20),
        keys: attention::Lines::alone(1, 20),
        values: attention::Lines::alone(1, 20),
    };
    let (q, kv) = (noise(19 * 40, 3), noise(19 * 20, 4));
    let (mut y, mut lse) = (vec![0.0; 19 * 40], vec![0.0; 38]);
    let [queries, pairs] = [&q, &kv].map(|x| Floats::F32(x));
    let out = FloatsMut::F32(&mut y);
    attention::forward(&context, queries, pairs, pairs, out, &mut lse, None, shape);
    let (mut dq, mut dk, mut dv) = (vec![0.0; 19 * 40], vec![0.0; 19 * 20], vec![0.0; 19 * 20]);
    let gradients = attention::Gradients {
        q: FloatsMut::F32(&mut dq).into(),
        k: FloatsMut::F32(&mut dk).into(),
        v: FloatsMut::F32(&mut dv).into(),
        adds: [false; 3],
    };
    let output = Floats::F32(&y);
    attention::backward(
        &context, queries, pairs, pairs, output, &lse, queries, gradients, None, shape,
    );
    let mut soft = vec![0.0; m * n];
    normalise::softmax(&context, &forward, &mut soft, n, false);
    vec![
        ("matmul", forward),
        ("weight gradient", weight),
        ("attention", y),
        ("log-sum-exp", lse),
        ("query gradient", dq),
        ("key gradient", dk),
        ("value gradient", dv),
        ("softmax", soft),
    ]
}

/// Products of bf16 in the forms of training: heights and widths that fill a tile, pass it and stop short of it.
fn probe_bf16(isa: Isa) -> Vec<(&'static str, Vec<f32>)> {
    let context = Context::new(isa, 1, Precision::Bf16);
    let (m, n, k) = (53, 64, 96);
    let narrow = |x: Vec<f32>| x.into_iter().map(Bf16::new).collect::<Vec<_>>();
    let (x, w) = (narrow(noise(m * k, 1)), narrow(noise(n * k, 2)));
    let mut forward = vec![Bf16(0); m * n];
    let out = Output::new(&mut forward[..], n, false);
    let turned = Matrix::columns(&w[..], k);
    gemm(&context, m, n, k, Matrix::rows(&x[..], k), turned, out);
    let mut input = noise(m * k, 3);
    let out = Output::new(&mut input[..], k, true);
    let (dy, straight) = (Matrix::rows(&forward[..], n), Matrix::rows(&w[..], k));
    gemm(&context, m, k, n, dy, straight, out);
    let mut weight = vec![0.0; (n - 15) * (k - 5)];
    let out = Output::new(&mut weight[..], k - 5, false);
    let (dy, x) = (Matrix::columns(&forward[..], n), Matrix::rows(&x[..], k));
    gemm(&context, n - 15, k - 5, m, dy, x, out);
    let forward = forward.iter().map(|x| x.value()).collect();
    vec![
        ("bf16 matmul", forward),
        ("bf16 input gradient", input),
        ("bf16 weight gradient", weight),
    ]
}

#[cfg(test)]
mod tests {
    use super::self_check;
    use crate::isa::tested;

    #[test]
    fn every_instruction_set_of_this_machine_agrees_with_the_portable_one() {
        for isa in tested() {
            assert_eq!(self_check(isa), Ok(()), "{}", isa.name());
        }
    }
}
