/** `sconce/vision`: what torchvision has. */

export * as datasets from './datasets';
export * as models from './models';
export * as transforms from './transforms';
