/**
 * LeNet-5 in its modern form for 28 x 28 grey images: ReLU, max-pooling, and a last layer of plain logits.
 * LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document recognition", figure 2.
 */

import { flatten, maxPool2d, relu, type Generator, type Tensor } from '@convoke/core';
import { Conv2d, Linear, Module } from '@convoke/nn';

export class LeNet5 extends Module {
  readonly conv1: Conv2d;
  readonly conv2: Conv2d;
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly fc3: Linear;

  constructor({ numClasses = 10, generator }: { numClasses?: number; generator: Generator }) {
    super();
    this.conv1 = new Conv2d({
      inChannels: 1,
      outChannels: 6,
      kernelSize: 5,
      padding: 2,
      generator,
    });
    this.conv2 = new Conv2d({ inChannels: 6, outChannels: 16, kernelSize: 5, generator });
    this.fc1 = new Linear({ inFeatures: 400, outFeatures: 120, generator });
    this.fc2 = new Linear({ inFeatures: 120, outFeatures: 84, generator });
    this.fc3 = new Linear({ inFeatures: 84, outFeatures: numClasses, generator });
  }

  /** `[N, 1, 28, 28]` to logits `[N, classes]`. */
  override forward(x: Tensor): Tensor {
    x = maxPool2d(relu(this.conv1.forward(x)), { kernelSize: 2 }); // [N, 6, 14, 14]
    x = maxPool2d(relu(this.conv2.forward(x)), { kernelSize: 2 }); // [N, 16, 5, 5]
    x = relu(this.fc1.forward(flatten(x)));
    x = relu(this.fc2.forward(x));
    return this.fc3.forward(x);
  }
}
