import { z } from 'zod'

/** The names that an object at this path of a schema may have: looks through defaults, options and unions. */
export function fieldNamesAt(schema: z.core.$ZodType, path: readonly string[]): string[] {
  let at: z.core.$ZodType[] = [schema]
  for (const part of path) at = at.flatMap((one) => unwrap(one)).flatMap((one) => childOf(one, part))
  return at.flatMap(unwrap).flatMap((one) => (one instanceof z.ZodObject ? Object.keys(one.shape) : []))
}

function childOf(schema: z.core.$ZodType, part: string): z.core.$ZodType[] {
  if (schema instanceof z.ZodObject) {
    const child: z.core.$ZodType | undefined = schema.shape[part]
    return child ? [child] : []
  }
  if (schema instanceof z.ZodArray) return [schema.element]
  if (schema instanceof z.ZodRecord) return [schema.valueType]
  return []
}

/** The forms a value may have, without the wrappers for defaults and the like. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType[] {
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(unwrap)
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  ) {
    return unwrap(schema.def.innerType)
  }
  if (schema instanceof z.ZodPipe) return unwrap(schema.def.in)
  return [schema]
}
