// Small grey images as text: half blocks in shades of grey in a terminal, a ramp of characters elsewhere.

const RAMP = ' .:-=+*#%@';

export interface Picture {
  /** Grey levels 0 to 1, row by row. */
  readonly pixels: ArrayLike<number>;
  readonly width: number;
  readonly height: number;
  /** Lines to stand below it. */
  readonly caption: readonly string[];
}

function shade(level: number): number {
  // 232 to 255 are the 24 greys of the 256-colour palette.
  return 232 + Math.round(23 * Math.min(1, Math.max(0, level)));
}

/** The picture's lines; each stands for two rows of pixels. */
function linesOf({ pixels, width, height }: Picture, colour: boolean): string[] {
  return Array.from({ length: Math.ceil(height / 2) }, (_, line) => {
    let text = '';
    for (let x = 0; x < width; x++) {
      const upper = pixels[2 * line * width + x] ?? 0;
      const lower = pixels[(2 * line + 1) * width + x] ?? 0;
      if (colour) text += `\u001B[38;5;${shade(upper)};48;5;${shade(lower)}m▀`;
      else
        text += RAMP[Math.round((RAMP.length - 1) * Math.min(1, Math.max(0, (upper + lower) / 2)))];
    }
    return colour ? `${text}\u001B[0m` : text;
  });
}

/** Pictures side by side, as many as `columns` holds, with their captions; without trailing spaces. */
export function drawPictures(
  pictures: readonly Picture[],
  options: { colour: boolean; columns: number },
): string {
  const gap = '  ';
  const rows: string[] = [];
  const widest = Math.max(1, ...pictures.map(({ width }) => width));
  const perRow = Math.max(1, Math.floor((options.columns + gap.length) / (widest + gap.length)));
  for (let first = 0; first < pictures.length; first += perRow) {
    const row = pictures.slice(first, first + perRow);
    const drawn = row.map((picture) => linesOf(picture, options.colour));
    const captionHeight = Math.max(...row.map(({ caption }) => caption.length));
    for (let line = 0; line < Math.max(...drawn.map(({ length }) => length)); line++) {
      rows.push(drawn.map((lines) => lines[line] ?? ' '.repeat(widest)).join(gap));
    }
    for (let line = 0; line < captionHeight; line++) {
      rows.push(
        row.map(({ caption }) => (caption[line] ?? '').slice(0, widest).padEnd(widest)).join(gap),
      );
    }
    rows.push('');
  }
  return rows.map((line) => line.trimEnd()).join('\n');
}
