//! Binding of the vocabulary head.

use super::{call, size};
use napi::{Error, Result};
use napi_derive::napi;
use smolforge_tensor::{head, quantised};

#[napi]
pub fn tensor_head_log_probs(
    x: i32,
    weight: i32,
    targets: i32,
    nll: i32,
    rows: u32,
    hidden: u32,
    vocab: u32,
) -> Result<()> {
    call("head", |engine| {
        let (input, weights) = (
            engine.input(x, size(&[rows, hidden])?)?,
            size(&[vocab, hidden])?,
        );
        let out = engine.output(nll, rows as usize, &[x, weight])?;
        let targets = engine.ints(targets, rows as usize)?;
        if let Some(blocks) = engine.blocks(weight, vocab, hidden)? {
            if targets.iter().any(|&target| target >= vocab as i32) {
                return Err(Error::from_reason("a target is not in the vocabulary"));
            }
            quantised::head::log_probs(&engine.context, input, blocks, targets, out);
        } else if hidden > 0 {
            let of = head::CrossEntropy {
                x: input,
                weight: engine.input(weight, weights)?,
                targets,
                hidden: hidden as usize,
            };
            head::head(&engine.context, of, out, None);
        }
        Ok(())
    })
}

#[napi]
pub fn tensor_head_gradient(
    x: i32,
    weight: i32,
    targets: i32,
    scales: i32,
    nll: i32,
    dx: i32,
    dweight: i32,
    rows: u32,
    hidden: u32,
    vocab: u32,
    add_x: bool,
    add_weight: bool,
) -> Result<()> {
    call("head gradient", |engine| {
        let (input, weights) = (size(&[rows, hidden])?, size(&[vocab, hidden])?);
        let others = [x, weight, scales, nll];
        if dx >= 0 && dx == dweight {
            return Err(Error::from_reason(
                "input and weight must not share a gradient",
            ));
        }
        let gradients = head::Gradients {
            scales: engine.input(scales, rows as usize)?,
            dx: engine.optional(dx, input, &others)?,
            dweight: engine.optional(dweight, weights, &others)?,
            add_x,
            add_weight,
        };
        let out = engine.output(nll, rows as usize, &[x, weight, scales])?;
        let targets = engine.ints(targets, rows as usize)?;
        if hidden > 0 {
            let of = head::CrossEntropy {
                x: engine.input(x, input)?,
                weight: engine.input(weight, weights)?,
                targets,
                hidden: hidden as usize,
            };
            head::head(&engine.context, of, out, Some(gradients));
        }
        Ok(())
    })
}
