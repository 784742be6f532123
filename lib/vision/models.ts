/** `torchvision.models`: the residual networks, with torchvision's parameter names and initialisation. */

import { type Args, bind } from '../args';
import * as nn from '../nn';
import * as ops from '../ops';
import type { Tensor } from '../tensor';

function conv3x3(inputs: number, outputs: number, stride: number): nn.Conv2d {
  return new nn.Conv2d(inputs, outputs, 3, { stride, padding: 1, bias: false });
}

/** Two 3x3 convolutions beside the identity, or beside a 1x1 convolution where the shape changes. */
export class BasicBlock extends nn.Module {
  readonly conv1: nn.Conv2d;
  readonly bn1: nn.BatchNorm2d;
  readonly relu: nn.ReLU;
  readonly conv2: nn.Conv2d;
  readonly bn2: nn.BatchNorm2d;
  readonly downsample: nn.Sequential | null;

  constructor(inplanes: number, planes: number, stride = 1, downsample: nn.Sequential | null = null) {
    super();
    this.conv1 = conv3x3(inplanes, planes, stride);
    this.bn1 = new nn.BatchNorm2d(planes);
    this.relu = new nn.ReLU({ inplace: true });
    this.conv2 = conv3x3(planes, planes, 1);
    this.bn2 = new nn.BatchNorm2d(planes);
    this.downsample = downsample;
  }

  override forward(x: Tensor): Tensor {
    const identity = this.downsample === null ? x : this.downsample(x);
    const out = this.relu(this.bn1(this.conv1(x)));
    return this.relu(this.bn2(this.conv2(out)).add_(identity));
  }
}

interface ResNetOptions {
  num_classes?: number;
  zero_init_residual?: boolean;
}

/** A residual network of basic blocks over images `[N, 3, H, W]`. */
export class ResNet extends nn.Module {
  readonly conv1: nn.Conv2d;
  readonly bn1: nn.BatchNorm2d;
  readonly relu: nn.ReLU;
  readonly maxpool: nn.MaxPool2d;
  readonly layer1: nn.Sequential;
  readonly layer2: nn.Sequential;
  readonly layer3: nn.Sequential;
  readonly layer4: nn.Sequential;
  readonly avgpool: nn.AdaptiveAvgPool2d;
  readonly fc: nn.Linear;

  constructor(layers: readonly [number, number, number, number], options: ResNetOptions = {}) {
    super();
    const { num_classes, zero_init_residual } = bind(
      'ResNet.__init__',
      { num_classes: 1000, zero_init_residual: false },
      [options],
    );
    this.conv1 = new nn.Conv2d(3, 64, 7, { stride: 2, padding: 3, bias: false });
    this.bn1 = new nn.BatchNorm2d(64);
    this.relu = new nn.ReLU({ inplace: true });
    this.maxpool = new nn.MaxPool2d(3, { stride: 2, padding: 1 });
    this.layer1 = make_layer(64, 64, layers[0], 1);
    this.layer2 = make_layer(64, 128, layers[1], 2);
    this.layer3 = make_layer(128, 256, layers[2], 2);
    this.layer4 = make_layer(256, 512, layers[3], 2);
    this.avgpool = new nn.AdaptiveAvgPool2d([1, 1]);
    this.fc = new nn.Linear(512, num_classes);
    for (const module of this.modules()) {
      if (module instanceof nn.Conv2d) {
        nn.init.kaiming_normal_(module.weight, { mode: 'fan_out', nonlinearity: 'relu' });
      }
    }
    if (!zero_init_residual) return;
    for (const module of this.modules()) {
      if (module instanceof BasicBlock && module.bn2.weight !== null) nn.init.zeros_(module.bn2.weight);
    }
  }

  override forward(x: Tensor): Tensor {
    const stem = this.maxpool(this.relu(this.bn1(this.conv1(x))));
    const features = this.layer4(this.layer3(this.layer2(this.layer1(stem))));
    return this.fc(ops.flatten(this.avgpool(features), 1));
  }
}

function make_layer(inplanes: number, planes: number, blocks: number, stride: number): nn.Sequential {
  const shape_changes = stride !== 1 || inplanes !== planes;
  const downsample = shape_changes
    ? new nn.Sequential(
        new nn.Conv2d(inplanes, planes, 1, { stride, bias: false }),
        new nn.BatchNorm2d(planes),
      )
    : null;
  const layer = new nn.Sequential(new BasicBlock(inplanes, planes, stride, downsample));
  for (let i = 1; i < blocks; i++) layer.append(new BasicBlock(planes, planes));
  return layer;
}

type ResNetArgs = Args<[], [], ResNetOptions>;

/** ResNet-18. */
export function resnet18(...args: ResNetArgs): ResNet {
  return new ResNet([2, 2, 2, 2], ...args);
}

/** ResNet-34. */
export function resnet34(...args: ResNetArgs): ResNet {
  return new ResNet([3, 4, 6, 3], ...args);
}
