//! Binding of attention.

use super::{Engine, call, one_type, size};
use napi::bindgen_prelude::Int32Array;
use napi::{Error, Result};
use napi_derive::napi;
use smolforge_tensor::attention::sequences::{self, Columns, Earlier, Sequence};
use smolforge_tensor::attention::{self, Lines};
use smolforge_tensor::context::Shared;
use smolforge_tensor::element::FloatsMut;

#[napi(object)]
pub struct TensorAttentionShape {
    pub batch: u32,
    pub time: u32,
    pub capacity: u32,
    pub heads: u32,
    pub kv_heads: u32,
    pub head_dim: u32,
    pub key_length: u32,
    pub causal: bool,
    pub segments: i32,
    /// Width of the rows in which q, k and v lie and where their heads begin there; 0 and 0 where they lie alone.
    pub query_width: u32,
    pub query_offset: u32,
    pub key_width: u32,
    pub key_offset: u32,
    pub value_width: u32,
    pub value_offset: u32,
}

struct AttentionSizes<'a> {
    shape: attention::Shape,
    queries: usize,
    keys: usize,
    values: usize,
    outputs: usize,
    sums: usize,
    segments: Option<&'a [i32]>,
}

fn attention_sizes<'a>(engine: &Engine, s: &TensorAttentionShape) -> Result<AttentionSizes<'a>> {
    let lines = |heads: u32, width: u32, offset: u32| {
        let own = heads as u64 * s.head_dim as u64;
        let width = if width == 0 { own } else { width as u64 };
        let fits = offset as u64 + own <= width && width <= u32::MAX as u64;
        fits.then_some(Lines {
            width: width as usize,
            offset: offset as usize,
        })
    };
    let places = (
        lines(s.heads, s.query_width, s.query_offset),
        lines(s.kv_heads, s.key_width, s.key_offset),
        lines(s.kv_heads, s.value_width, s.value_offset),
    );
    let fits = s.kv_heads > 0
        && s.heads.is_multiple_of(s.kv_heads)
        && s.head_dim > 0
        && s.time <= s.key_length
        && s.key_length <= s.capacity
        && (s.segments < 0 || s.time == s.key_length);
    let (true, (Some(queries), Some(keys), Some(values))) = (fits, places) else {
        return Err(Error::from_reason(
            "the shapes of queries and keys do not fit",
        ));
    };
    let segments = if s.segments < 0 {
        None
    } else {
        Some(engine.ints(s.segments, size(&[s.batch, s.time])?)?)
    };
    Ok(AttentionSizes {
        queries: size(&[s.batch, s.time, queries.width as u32])?,
        keys: size(&[s.batch, s.capacity, keys.width as u32])?,
        values: size(&[s.batch, s.capacity, values.width as u32])?,
        outputs: size(&[s.batch, s.time, s.heads, s.head_dim])?,
        sums: size(&[s.batch, s.heads, s.time])?,
        segments,
        shape: attention::Shape {
            batch: s.batch as usize,
            time: s.time as usize,
            capacity: s.capacity as usize,
            heads: s.heads as usize,
            kv_heads: s.kv_heads as usize,
            head_dim: s.head_dim as usize,
            key_length: s.key_length as usize,
            causal: s.causal,
            queries,
            keys,
            values,
        },
    })
}

#[napi]
pub fn tensor_attention(
    q: i32,
    k: i32,
    v: i32,
    y: i32,
    log_sum_exp: i32,
    shape: TensorAttentionShape,
) -> Result<()> {
    call("attention", |engine| {
        let sizes = attention_sizes(engine, &shape)?;
        if (engine.dtype(q)?, engine.dtype(k)?) != (engine.dtype(y)?, engine.dtype(v)?) {
            return Err(one_type("q and y, and k and v,"));
        }
        attention::forward(
            &engine.context,
            engine.floats(q, sizes.queries)?,
            engine.floats(k, sizes.keys)?,
            engine.floats(v, sizes.values)?,
            engine.floats_output(y, sizes.outputs, &[q, k, v, log_sum_exp])?,
            engine.output(log_sum_exp, sizes.sums, &[q, k, v])?,
            sizes.segments,
            sizes.shape,
        );
        Ok(())
    })
}

/// dq, dk and dv may be one buffer where they are other columns of it.
#[napi]
pub fn tensor_attention_gradient(
    q: i32,
    k: i32,
    v: i32,
    y: i32,
    log_sum_exp: i32,
    dy: i32,
    dq: i32,
    dk: i32,
    dv: i32,
    shape: TensorAttentionShape,
    add_q: bool,
    add_k: bool,
    add_v: bool,
) -> Result<()> {
    call("attention gradient", |engine| {
        let sizes = attention_sizes(engine, &shape)?;
        let others = [q, k, v, y, log_sum_exp, dy];
        let stored = engine.dtype(q)?;
        for handle in [k, v, y, dy, dq, dk, dv] {
            if engine.dtype(handle)? != stored {
                return Err(one_type("q, k, v, y and the gradients"));
            }
        }
        let heads = |lines: Lines, heads: usize| {
            (
                lines.width,
                lines.offset,
                lines.offset + heads * sizes.shape.head_dim,
            )
        };
        let parts = [
            (dq, heads(sizes.shape.queries, sizes.shape.heads)),
            (dk, heads(sizes.shape.keys, sizes.shape.kv_heads)),
            (dv, heads(sizes.shape.values, sizes.shape.kv_heads)),
        ];
        for (i, &(handle, (width, from, to))) in parts.iter().enumerate() {
            for &(other, (other_width, other_from, other_to)) in &parts[..i] {
                let apart = width == other_width && (to <= other_from || other_to <= from);
                if handle == other && !apart {
                    return Err(Error::from_reason("q, k and v must not share a gradient"));
                }
            }
        }
        let gradients = attention::Gradients {
            q: engine.floats_output(dq, sizes.queries, &others)?.into(),
            k: engine.floats_output(dk, sizes.keys, &others)?.into(),
            v: engine.floats_output(dv, sizes.values, &others)?.into(),
            adds: [add_q, add_k, add_v],
        };
        attention::backward(
            &engine.context,
            engine.floats(q, sizes.queries)?,
            engine.floats(k, sizes.keys)?,
            engine.floats(v, sizes.values)?,
            engine.floats(y, sizes.outputs)?,
            engine.input(log_sum_exp, sizes.sums)?,
            engine.floats(dy, sizes.outputs)?,
            gradients,
            sizes.segments,
            sizes.shape,
        );
        Ok(())
    })
}

/// Numbers that describe a sequence: rows, positions before them, the row where those lie, or the handles of a cache.
const RECORD: usize = 5;

/// Turns queries and keys of qkv in place and attends, as `attention::sequences` says. `sequences` holds for each its
/// rows, the positions before them, the first row of those in qkv or -1, and its caches of keys and values or -1.
#[napi]
pub fn tensor_attend_sequences(
    qkv: i32,
    y: i32,
    sequences: Int32Array,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    theta: f64,
) -> Result<()> {
    call("attention", |engine| {
        if kv_heads == 0 || !heads.is_multiple_of(kv_heads) || !head_dim.is_multiple_of(2) {
            return Err(Error::from_reason("the heads do not fit each other"));
        }
        let records = sequences.as_chunks::<RECORD>().0;
        let rows = rows_of(records)?;
        let width = size(&[heads.saturating_add(kv_heads.saturating_mul(2)), head_dim])?;
        let columns = Columns {
            heads: heads as usize,
            kv_heads: kv_heads as usize,
            head_dim: head_dim as usize,
            theta,
        };
        let inputs = engine.floats_output(qkv, rows * width, &[])?;
        let outputs = engine.floats_output(y, size(&[rows as u32, heads, head_dim])?, &[qkv])?;
        let mut used = vec![qkv, y];
        match (inputs, outputs) {
            (FloatsMut::F32(qkv), FloatsMut::F32(y)) => {
                let all = described(records, rows, |handle, length| {
                    used.push(handle);
                    engine.output(handle, length * columns.kept(), &used[..used.len() - 1])
                })?;
                sequences::attend(&engine.context, qkv, y, &all, columns);
            }
            (FloatsMut::Bf16(qkv), FloatsMut::Bf16(y)) => {
                let all = described(records, rows, |handle, length| {
                    used.push(handle);
                    let others = &used[..used.len() - 1];
                    let cache = engine.optional_bf16(handle, length * columns.kept(), others)?;
                    cache.ok_or_else(|| Error::from_reason("there is no such cache"))
                })?;
                sequences::attend(&engine.context, qkv, y, &all, columns);
            }
            _ => return Err(one_type("queries, caches and output")),
        }
        Ok(())
    })
}

fn rows_of(records: &[[i32; RECORD]]) -> Result<usize> {
    let mut lengths = records
        .iter()
        .map(|[length, ..]| u32::try_from(*length).ok());
    let rows = lengths.try_fold(0u32, |sum, length| sum.checked_add(length?));
    rows.map(|rows| rows as usize)
        .ok_or_else(|| Error::from_reason("the lengths of the sequences do not fit"))
}

/// The sequences, their caches by `cache` of a handle and of as many positions as it must hold.
fn described<'a, E>(
    records: &[[i32; RECORD]],
    rows: usize,
    mut cache: impl FnMut(i32, usize) -> Result<&'a mut [E]>,
) -> Result<Vec<Sequence<'a, E>>> {
    let each = records.iter().map(|&[length, before, row, keys, values]| {
        let missing = || Error::from_reason("the sequence has no such rows before it");
        let length = length as usize;
        let before = usize::try_from(before).map_err(|_| missing())?;
        let earlier = if keys >= 0 {
            Earlier::Cache {
                keys: Shared::new(cache(keys, before + length)?),
                values: Shared::new(cache(values, before + length)?),
            }
        } else {
            let row = usize::try_from(row).unwrap_or(0);
            if row + before > rows {
                return Err(missing());
            }
            Earlier::Rows(row)
        };
        Ok(Sequence {
            length,
            before,
            earlier,
        })
    });
    each.collect()
}
