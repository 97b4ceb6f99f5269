//! Linear layers that share their input.

use super::{DType, Engine, call, one_type, size};
use napi::bindgen_prelude::Int32Array;
use napi::{Error, Result};
use napi_derive::napi;
use smolforge_tensor::element::{Floats, FloatsMut};
use smolforge_tensor::gated::{Gated, gated_gradient};
use smolforge_tensor::gemm::Plus;
use smolforge_tensor::linears::{self, Weight, WeightGradient};
use smolforge_tensor::normalise::rms_norm;
use smolforge_tensor::normed::{Normed, normed_gradient};
use smolforge_tensor::quantised::product;
use smolforge_tensor::swiglu::swiglu_rows;

/// `sizes` holds the outputs of each layer.
#[napi]
pub fn tensor_linears(
    x: i32,
    weights: Int32Array,
    sizes: Int32Array,
    plus: i32,
    y: i32,
    rows: u32,
    inputs: u32,
) -> Result<()> {
    call("linear", |engine| {
        let (outputs, width) = widths(&sizes)?;
        let n = size(&[rows, width])?;
        let added = if plus < 0 {
            Plus::Nothing
        } else {
            Plus::Rows(engine.floats(plus, n)?)
        };
        let mut others = weights.to_vec();
        others.extend([x, plus]);
        let out = engine.floats_output(y, n, &others)?;
        if let (Plus::Rows(added), true) = (added, n > 0)
            && std::mem::discriminant(&added) != std::mem::discriminant(&engine.floats(y, n)?)
        {
            return Err(Error::from_reason("plus must be stored as the output"));
        }
        let input = engine.floats(x, size(&[rows, inputs])?)?;
        products(engine, input, &weights, &outputs, out, added, rows, inputs)
    })
}

/// As `tensor_linears` of x / rms(x) * norm, which is rounded to what y is stored as; 1 / rms(x) of each row goes into
/// `inverse`, or is not wanted where that is -1.
#[napi]
pub fn tensor_norm_linears(
    x: i32,
    norm: i32,
    weights: Int32Array,
    sizes: Int32Array,
    inverse: i32,
    y: i32,
    rows: u32,
    inputs: u32,
    eps: f64,
) -> Result<()> {
    call("norm linear", |engine| {
        let (outputs, width) = widths(&sizes)?;
        let n = size(&[rows, inputs])?;
        let (input, scale) = (engine.input(x, n)?, engine.input(norm, inputs as usize)?);
        let mut others = weights.to_vec();
        others.extend([x, norm]);
        let kept = engine.optional(inverse, rows as usize, &others)?;
        others.push(inverse);
        let out = engine.floats_output(y, size(&[rows, width])?, &others)?;
        let dtype = engine.dtype(y)?;
        let words = dtype.words(n);
        engine.with_temporary(words + rows as usize, |engine, temporary| {
            let (normal, inverses) = temporary.split_at_mut(words);
            let inverse = kept.unwrap_or(inverses);
            let mut normal = FloatsMut::within(normal, dtype == DType::Bf16, n);
            if n > 0 {
                let normal = normal.rest(0);
                rms_norm(&engine.context, input, scale, normal, inverse, eps as f32);
            }
            let (normal, nothing) = (normal.into_inputs(), Plus::Nothing);
            products(
                engine, normal, &weights, &outputs, out, nothing, rows, inputs,
            )
        })
    })
}

/// x[rows, inputs] times the transpose of each weight, in floats or in blocks, side by side.
fn products(
    engine: &Engine,
    x: Floats,
    weights: &[i32],
    outputs: &[u32],
    y: FloatsMut,
    plus: Plus,
    rows: u32,
    inputs: u32,
) -> Result<()> {
    let context = &engine.context;
    if let Some(blocks) = engine.all_blocks(weights, outputs, inputs)? {
        product::linears(context, x, rows as usize, &blocks, y, plus);
    } else {
        let layers = layers(engine, weights, outputs, inputs)?;
        let (rows, inputs) = (rows as usize, inputs as usize);
        linears::forward(context, x, &layers, y, plus, rows, inputs);
    }
    Ok(())
}

#[napi]
pub fn tensor_linears_input_gradient(
    dy: i32,
    weights: Int32Array,
    sizes: Int32Array,
    dx: i32,
    rows: u32,
    inputs: u32,
    add: bool,
) -> Result<()> {
    call("linear input gradient", |engine| {
        let (outputs, width) = widths(&sizes)?;
        let layers = layers(engine, &weights, &outputs, inputs)?;
        let gradient = engine.floats(dy, size(&[rows, width])?)?;
        let mut others = weights.to_vec();
        others.push(dy);
        let out = engine.floats_output(dx, size(&[rows, inputs])?, &others)?;
        let (rows, inputs) = (rows as usize, inputs as usize);
        linears::input_gradient(&engine.context, gradient, &layers, out, rows, inputs, add);
        Ok(())
    })
}

/// `gradients` holds a handle for each layer, or -1; `adds` says to add to it.
#[napi]
pub fn tensor_linears_weight_gradient(
    dy: i32,
    x: i32,
    gradients: Int32Array,
    sizes: Int32Array,
    adds: Vec<bool>,
    rows: u32,
    inputs: u32,
) -> Result<()> {
    call("linear weight gradient", |engine| {
        let (outputs, width) = widths(&sizes)?;
        let places = places(engine, &gradients, &outputs, &adds, inputs, &[dy, x])?;
        let gradient = engine.floats(dy, size(&[rows, width])?)?;
        let input = engine.floats(x, size(&[rows, inputs])?)?;
        let (rows, inputs) = (rows as usize, inputs as usize);
        linears::weight_gradient(&engine.context, gradient, input, places, rows, inputs);
        Ok(())
    })
}

/// The gradients of linear layers over an RMSNorm of x: by x, its weights `norm` and each layer, or -1.
#[napi]
pub fn tensor_norm_linears_gradient(
    x: i32,
    norm: i32,
    inverse: i32,
    dy: i32,
    weights: Int32Array,
    sizes: Int32Array,
    dx: i32,
    dnorm: i32,
    gradients: Int32Array,
    add_x: bool,
    add_norm: bool,
    adds: Vec<bool>,
    rows: u32,
    inputs: u32,
) -> Result<()> {
    call("norm linear gradient", |engine| {
        let (outputs, width) = widths(&sizes)?;
        let n = size(&[rows, inputs])?;
        let layers = layers(engine, &weights, &outputs, inputs)?;
        let gradient = engine.floats(dy, size(&[rows, width])?)?;
        let normed = Normed {
            x: engine.input(x, n)?,
            norm: engine.input(norm, inputs as usize)?,
            inverse: engine.input(inverse, rows as usize)?,
            weights: &layers,
        };
        let mut others = weights.to_vec();
        others.extend([x, norm, inverse, dy]);
        let to = engine.optional(dx, n, &others)?;
        others.push(dx);
        let scale = engine.optional(dnorm, inputs as usize, &others)?;
        others.push(dnorm);
        let places = places(engine, &gradients, &outputs, &adds, inputs, &others)?;
        if inputs > 0 {
            let adds = [add_x, add_norm];
            normed_gradient(&engine.context, normed, gradient, to, scale, adds, places);
        }
        Ok(())
    })
}

/// y = silu(gate) up times the transpose of weight[outputs, inputs], plus `plus`; gate and up lie side by side in x.
#[napi]
pub fn tensor_swiglu_linear(
    x: i32,
    weight: i32,
    plus: i32,
    y: i32,
    rows: u32,
    inputs: u32,
    outputs: u32,
) -> Result<()> {
    call("linear", |engine| {
        let n = size(&[rows, outputs])?;
        let gate_up = engine.floats(x, size(&[rows, 2, inputs])?)?;
        let added = Plus::Rows(engine.input(plus, n)?.into());
        let out: FloatsMut = engine.output(y, n, &[x, weight, plus])?.into();
        if engine.blocks(weight, outputs, inputs)?.is_none() {
            let layer = layers(engine, &[weight], &[outputs], inputs)?[0];
            let (rows, inputs) = (rows as usize, inputs as usize);
            linears::gated_forward(&engine.context, gate_up, layer, out, added, rows, inputs);
            return Ok(());
        }
        let n = size(&[rows, inputs])?;
        let dtype = engine.dtype(x)?;
        engine.with_temporary(dtype.words(n), |engine, words| {
            let mut product = FloatsMut::within(words, dtype == DType::Bf16, n);
            let (each, width) = (rows as usize, inputs as usize);
            swiglu_rows(&engine.context, gate_up, product.rest(0), each, width);
            let product = product.into_inputs();
            products(
                engine,
                product,
                &[weight],
                &[outputs],
                out,
                added,
                rows,
                inputs,
            )
        })
    })
}

/// The gradients of `tensor_swiglu_linear`: by gate and up into dx, stored as they are, and by the weight, or -1.
#[napi]
pub fn tensor_swiglu_linear_gradient(
    x: i32,
    weight: i32,
    dy: i32,
    dx: i32,
    dweight: i32,
    rows: u32,
    inputs: u32,
    outputs: u32,
    add_x: bool,
    add_weight: bool,
) -> Result<()> {
    call("swiglu linear gradient", |engine| {
        let n = size(&[rows, 2, inputs])?;
        let gradient = engine.input(dy, size(&[rows, outputs])?)?;
        let gate_up = engine.floats(x, n)?;
        let to = engine.optional(dweight, size(&[outputs, inputs])?, &[x, weight, dy, dx])?;
        let out = engine.floats_output(dx, n, &[x, weight, dy])?;
        if matches!(gate_up, Floats::F32(_)) != matches!(out, FloatsMut::F32(_)) {
            return Err(one_type("input and gradient"));
        }
        let layers = layers(engine, &[weight], &[outputs], inputs)?;
        let gated = Gated {
            gate_up,
            weight: layers[0],
            rows: rows as usize,
            inputs: inputs as usize,
        };
        let dweight = WeightGradient {
            to,
            outputs: outputs as usize,
            add: add_weight,
        };
        gated_gradient(&engine.context, gated, gradient, out, add_x, dweight);
        Ok(())
    })
}

fn widths(sizes: &[i32]) -> Result<(Vec<u32>, u32)> {
    let outputs: Option<Vec<u32>> = sizes.iter().map(|&n| u32::try_from(n).ok()).collect();
    let total = outputs
        .as_ref()
        .and_then(|all| all.iter().try_fold(0u32, |sum, &n| sum.checked_add(n)));
    match (outputs, total) {
        (Some(outputs), Some(total)) if !outputs.is_empty() => Ok((outputs, total)),
        _ => Err(Error::from_reason("the sizes of the layers do not fit")),
    }
}

/// Where the gradients of the weights go; none of them is one of `inputs_of` the call.
fn places(
    engine: &Engine,
    gradients: &[i32],
    outputs: &[u32],
    adds: &[bool],
    inputs: u32,
    inputs_of: &[i32],
) -> Result<Vec<WeightGradient<'static>>> {
    if gradients.len() != outputs.len() || adds.len() != outputs.len() {
        return Err(Error::from_reason("as many gradients as layers are needed"));
    }
    let mut places = Vec::with_capacity(outputs.len());
    for (i, &outputs) in outputs.iter().enumerate() {
        let mut others = inputs_of.to_vec();
        others.extend_from_slice(&gradients[..i]);
        others.retain(|&other| other >= 0);
        let n = size(&[outputs, inputs])?;
        places.push(WeightGradient {
            to: engine.optional(gradients[i], n, &others)?,
            outputs: outputs as usize,
            add: adds[i],
        });
    }
    Ok(places)
}

fn layers(
    engine: &Engine,
    weights: &[i32],
    outputs: &[u32],
    inputs: u32,
) -> Result<Vec<Weight<'static>>> {
    if weights.len() != outputs.len() {
        return Err(Error::from_reason("as many weights as sizes are needed"));
    }
    let each = weights.iter().zip(outputs);
    each.map(|(&weight, &outputs)| {
        let data: Floats<'static> = engine.floats(weight, size(&[outputs, inputs])?)?;
        Ok(Weight {
            data,
            outputs: outputs as usize,
        })
    })
    .collect()
}
