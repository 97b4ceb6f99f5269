use super::{Gradients, Joint, Lines, Shape, backward, forward};
use crate::context::{Context, Precision};
use crate::element::{Bf16, Element, Floats, FloatsMut};
use crate::isa::{Isa, tested};
use crate::noise::noise;

/// y, and the gradients by q, k and v, in f64 as the formulas say.
fn plain([q, k, v, dy]: [&[f32]; 4], segments: Option<&[i32]>, s: Shape) -> [Vec<f64>; 4] {
    let mut out = [q, q, k, v].map(|x| vec![0.0f64; x.len()]);
    let [y, dq, dk, dv] = &mut out;
    let d = s.head_dim;
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let products = a.iter().zip(b).map(|(&a, &b)| a as f64 * b as f64);
        products.sum()
    };
    for (b, head) in (0..s.batch).flat_map(|b| (0..s.heads).map(move |head| (b, head))) {
        let kv_head = head / s.group();
        for row in 0..s.time {
            let (own, out) = (s.query(b, row, head), s.output(b, row, head));
            let sees = |key: usize| {
                let alike = |x: &[i32]| x[b * s.time + row] == x[b * s.time + key];
                let before = !s.causal || key <= s.key_length - s.time + row;
                before && segments.is_none_or(alike)
            };
            let keys: Vec<usize> = (0..s.key_length).filter(|&key| sees(key)).collect();
            let of_key = |key: usize| s.key(b, kv_head) + key * s.keys.width;
            let of_value = |key: usize| s.value(b, kv_head) + key * s.values.width;
            let exponential = |&key: &usize| {
                let score = dot(&q[own..own + d], &k[of_key(key)..][..d]);
                (score * s.scale() as f64).exp()
            };
            let p: Vec<f64> = keys.iter().map(exponential).collect();
            let sum: f64 = p.iter().sum();
            let slope = |key: usize| dot(&dy[out..out + d], &v[of_value(key)..][..d]);
            let mean: f64 = keys
                .iter()
                .zip(&p)
                .map(|(&key, p)| p / sum * slope(key))
                .sum();
            for (&key, p) in keys.iter().zip(&p) {
                let p = p / sum;
                let ds = p * (slope(key) - mean) * s.scale() as f64;
                for i in 0..d {
                    y[out + i] += p * v[of_value(key) + i] as f64;
                    dv[of_value(key) + i] += p * dy[out + i] as f64;
                    dq[own + i] += ds * k[of_key(key) + i] as f64;
                    dk[of_key(key) + i] += ds * q[own + i] as f64;
                }
            }
        }
    }
    out
}

fn check(time: usize, key_length: usize, head_dim: usize, causal: bool, segments: Option<&[i32]>) {
    let s = Shape {
        batch: 2,
        time,
        capacity: key_length,
        heads: 4,
        kv_heads: 2,
        head_dim,
        key_length,
        causal,
        queries: Lines::alone(4, head_dim),
        keys: Lines::alone(2, head_dim),
        values: Lines::alone(2, head_dim),
    };
    let size = |positions: usize, heads: usize| s.batch * positions * heads * head_dim;
    // Scores of some size, so that probabilities differ.
    let q: Vec<f32> = noise(size(time, 4), 1).iter().map(|x| 4.0 * x).collect();
    let [k, v] = [2, 3].map(|seed| noise(size(key_length, 2), seed));
    let dy = noise(size(time, 4), 4);
    let inputs = [q, k, v, dy];
    let rounded = inputs
        .clone()
        .map(|x| x.into_iter().map(Bf16::new).collect::<Vec<Bf16>>());
    let widened = rounded
        .clone()
        .map(|x| x.into_iter().map(Bf16::value).collect::<Vec<f32>>());
    let wanted = plain(inputs.each_ref().map(|x| &x[..]), segments, s);
    let wanted_of_rounded = plain(widened.each_ref().map(|x| &x[..]), segments, s);
    for isa in tested() {
        let f32 = Precision::F32;
        let got = [1, 2].map(|threads| run(isa, threads, f32, &inputs, segments, s));
        compare(isa, &got, &wanted, 3e-6);
        let bf16 = Precision::Bf16;
        // Rounded inputs, so that what is left are probabilities and slopes rounded on their way into a product.
        let got = [1, 2].map(|threads| run(isa, threads, bf16, &widened, segments, s));
        compare(isa, &got, &wanted_of_rounded, 6e-3);
        let got = [1, 2].map(|threads| run(isa, threads, bf16, &rounded, segments, s));
        compare(isa, &got, &wanted_of_rounded, 1e-2);
    }
}

/// y, and the gradients by q, k and v, of q, k, v and dy stored as E.
fn run<E: Element>(
    isa: Isa,
    threads: usize,
    precision: Precision,
    [q, k, v, dy]: &[Vec<E>; 4],
    segments: Option<&[i32]>,
    s: Shape,
) -> [Vec<f32>; 4]
where
    for<'a> &'a [E]: Into<Floats<'a>>,
    for<'a> &'a mut [E]: Into<FloatsMut<'a>>,
{
    let context = Context::new(isa, threads, precision);
    let mut lse = vec![0.0; s.batch * s.heads * s.time];
    let nothing = |x: &Vec<E>| vec![E::of(f32::NAN); x.len()];
    let [mut y, mut dq] = [q, q].map(nothing);
    let [mut dk, mut dv] = [k, v].map(nothing);
    let [queries, keys, values, slopes] = [q, k, v, dy].map(|x| x[..].into());
    let to = (&mut y[..]).into();
    forward(&context, queries, keys, values, to, &mut lse, segments, s);
    let [to_q, to_k, to_v] = [&mut dq, &mut dk, &mut dv].map(|x| Joint::from((&mut x[..]).into()));
    let gradients = Gradients {
        q: to_q,
        k: to_k,
        v: to_v,
        adds: [false; 3],
    };
    let saved = (&y[..]).into();
    backward(
        &context, queries, keys, values, saved, &lse, slopes, gradients, segments, s,
    );
    [y, dq, dk, dv].map(|x| x.into_iter().map(E::value).collect())
}

fn compare(isa: Isa, [one, two]: &[[Vec<f32>; 4]; 2], wanted: &[Vec<f64>; 4], tolerance: f64) {
    for (i, (got, wanted)) in one.iter().zip(wanted).enumerate() {
        let most = wanted.iter().fold(0.1f64, |most, x| most.max(x.abs()));
        for (at, (&got, &wanted)) in got.iter().zip(wanted).enumerate() {
            let off = (got as f64 - wanted).abs() / most;
            assert!(
                off < tolerance,
                "{isa:?}, {i} at {at}: {got}, not {wanted}, {off} of the largest"
            );
        }
    }
    assert!(one == two, "{isa:?}: another result with two threads");
}

#[test]
fn attention_and_its_gradients_are_those_of_the_formulas_over_several_blocks() {
    for (time, key_length, head_dim) in [(1, 1, 4), (131, 131, 20), (97, 97, 32), (50, 113, 8)] {
        check(time, key_length, head_dim, true, None);
        check(time, key_length, head_dim, false, None);
    }
}

#[test]
fn documents_see_themselves_alone_wherever_they_begin() {
    let long: Vec<i32> = (0..262).map(|i| i % 131 / 37).collect();
    let mixed: Vec<i32> = (0..262).map(|i| i % 131 / 21 % 2).collect();
    for segments in [&long, &mixed] {
        check(131, 131, 20, true, Some(segments));
        check(131, 131, 20, false, Some(segments));
    }
}
