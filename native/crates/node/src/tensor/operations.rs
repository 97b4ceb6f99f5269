//! Operations on elements, sums, and matrix products.

use super::{call, size};
use napi::{Error, Result};
use napi_derive::napi;
use smolforge_tensor::element::Floats;
use smolforge_tensor::elementwise::{Binary, Unary};
use smolforge_tensor::gemm::{Matrix, Output};
use smolforge_tensor::{elementwise, gemm, reduce};

fn unary_of(f: u32) -> Result<Unary> {
    use Unary::*;
    let all = [Neg, Exp, Log, Sqrt, Sigmoid, Silu, LogSigmoid, Gelu];
    all.get(f as usize)
        .copied()
        .ok_or_else(|| Error::from_reason(format!("there is no function {f}")))
}

#[napi]
pub fn tensor_unary(f: u32, x: i32, y: i32, length: u32) -> Result<()> {
    call("unary", |engine| {
        let n = length as usize;
        elementwise::unary(
            &engine.context,
            unary_of(f)?,
            engine.input(x, n)?,
            engine.output(y, n, &[x])?,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_unary_gradient(
    f: u32,
    x: i32,
    y: i32,
    dy: i32,
    dx: i32,
    length: u32,
    add: bool,
) -> Result<()> {
    call("unary gradient", |engine| {
        let n = length as usize;
        let [input, result, gradient] = [
            engine.input(x, n)?,
            engine.input(y, n)?,
            engine.input(dy, n)?,
        ];
        let out = engine.output(dx, n, &[x, y, dy])?;
        elementwise::unary_gradient(
            &engine.context,
            unary_of(f)?,
            input,
            result,
            gradient,
            out,
            add,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_binary(
    op: u32,
    a: i32,
    b: i32,
    c: i32,
    length: u32,
    period: u32,
    add: bool,
) -> Result<()> {
    call("binary", |engine| {
        let (n, period) = (length as usize, period as usize);
        if n > 0 && (period == 0 || n % period != 0) {
            return Err(Error::from_reason("the right side does not fit the left"));
        }
        let op = *[Binary::Add, Binary::Sub, Binary::Mul]
            .get(op as usize)
            .ok_or_else(|| Error::from_reason("unknown operation"))?;
        let out = engine.output(c, n, &[a, b])?;
        elementwise::binary(
            &engine.context,
            op,
            engine.input(a, n)?,
            engine.input(b, period)?,
            out,
            add,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_scale(x: i32, factor: f64, y: i32, length: u32, add: bool) -> Result<()> {
    call("scale", |engine| {
        let n = length as usize;
        let out = engine.output(y, n, &[x])?;
        elementwise::scale(
            &engine.context,
            engine.input(x, n)?,
            factor as f32,
            out,
            add,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_scale_in_place(x: i32, s: i32, length: u32) -> Result<()> {
    call("scale", |engine| {
        let factor = engine.input(s, 1)?[0];
        let values = engine.output(x, length as usize, &[s])?;
        elementwise::scale_in_place(&engine.context, values, factor);
        Ok(())
    })
}

#[napi]
pub fn tensor_sum_axis(
    x: i32,
    y: i32,
    outer: u32,
    axis: u32,
    inner: u32,
    factor: f64,
    add: bool,
) -> Result<()> {
    call("sum", |engine| {
        let (from, to) = (size(&[outer, axis, inner])?, size(&[outer, inner])?);
        let (input, out) = (engine.input(x, from)?, engine.output(y, to, &[x])?);
        let [outer, axis, inner] = [outer, axis, inner].map(|n| n as usize);
        reduce::sum_axis(
            &engine.context,
            input,
            out,
            outer,
            axis,
            inner,
            factor as f32,
            add,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_spread_axis(
    y: i32,
    x: i32,
    outer: u32,
    axis: u32,
    inner: u32,
    factor: f64,
    add: bool,
) -> Result<()> {
    call("sum gradient", |engine| {
        let (to, from) = (size(&[outer, axis, inner])?, size(&[outer, inner])?);
        let (input, out) = (engine.input(y, from)?, engine.output(x, to, &[y])?);
        let [outer, axis, inner] = [outer, axis, inner].map(|n| n as usize);
        reduce::spread_axis(
            &engine.context,
            input,
            out,
            outer,
            axis,
            inner,
            factor as f32,
            add,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_transpose(x: i32, y: i32, rows: u32, columns: u32, add: bool) -> Result<()> {
    call("transpose", |engine| {
        let n = size(&[rows, columns])?;
        let (input, out) = (engine.input(x, n)?, engine.output(y, n, &[x])?);
        reduce::transpose(
            &engine.context,
            input,
            out,
            rows as usize,
            columns as usize,
            add,
        );
        Ok(())
    })
}

#[napi]
pub fn tensor_matmul(
    a: i32,
    b: i32,
    c: i32,
    batch: u32,
    m: u32,
    n: u32,
    k: u32,
    transpose_a: bool,
    transpose_b: bool,
    add: bool,
) -> Result<()> {
    let name = match (transpose_a, transpose_b) {
        (false, true) => "matmul forward",
        (true, false) => "matmul weight gradient",
        _ => "matmul",
    };
    call(name, |engine| {
        let left = engine.floats(a, size(&[batch, m, k])?)?;
        let right = engine.floats(b, size(&[batch, k, n])?)?;
        let out = engine.floats_output(c, size(&[batch, m, n])?, &[a, b])?;
        let [m, n, k] = [m, n, k].map(|size| size as usize);
        let matrix = |data: Floats<'static>, rows: usize, columns: usize, turned: bool| {
            if turned {
                Matrix::columns(data, rows)
            } else {
                Matrix::rows(data, columns)
            }
        };
        let mut rest = out;
        for i in 0..batch as usize {
            let left = matrix(left.from(i * m * k), m, k, transpose_a);
            let right = matrix(right.from(i * k * n), k, n, transpose_b);
            let (c, after) = rest.split(m * n);
            gemm::gemm(
                &engine.context,
                m,
                n,
                k,
                left,
                right,
                Output::new(c, n, add),
            );
            rest = after;
        }
        Ok(())
    })
}
