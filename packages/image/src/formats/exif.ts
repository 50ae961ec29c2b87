// The orientation that a camera notes: found in JPEG, WebP and PNG files, and applied to pixels.

import { flipHorizontal, rotateQuarters, transpose } from '../geometry/flip.ts';
import type { Image, PixelData } from '../image.ts';

/** The picture as it is to be seen. Values other than 2 to 8 leave it as it is. */
export function applyOrientation<Data extends PixelData>(
  image: Image<Data>,
  orientation: number,
): Image<Data> {
  switch (orientation) {
    case 2:
      return flipHorizontal(image);
    case 3:
      return rotateQuarters(image, 2);
    case 4:
      return flipHorizontal(rotateQuarters(image, 2));
    case 5:
      return transpose(image);
    case 6:
      return rotateQuarters(image, 3);
    case 7:
      return transpose(rotateQuarters(image, 2));
    case 8:
      return rotateQuarters(image, 1);
    default:
      return image;
  }
}
