// Vector constants as loads. V8 makes a constant of 128 bits anew wherever it is used, in loops too, in some six instructions; a
// load from a table is one, and shorter. Softmax's exponentials took a third longer without.

/** The source with its calls `c(value)` (assembly/math.ts) turned into loads from a table that stands at its end. */
export function tabulateConstants(source) {
  if (!/\bimport { c\b|\bexport function c\(/.test(source)) return source;
  const values = [];
  const tabulated = source.replaceAll(/(?<!function )\bc\(([^()]+)\)/g, (_, value) => {
    if (!values.includes(value)) values.push(value);
    return `v128.load32_splat(CONSTANTS, ${4 * values.indexOf(value)})`;
  });
  return `${tabulated}\nconst CONSTANTS: usize = memory.data<f32>([${values.join(', ')}]);\n`;
}
