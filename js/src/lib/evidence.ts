// What all views are told of layers and predictions.

export interface Prediction {
  index: number;
  name: string;
  probability: number;
  logit: number;
}

export interface Layer {
  name: string;
  type: string;
  shape: [number, number, number];
  stage: number | null;
  field: [number, number] | null;
}
