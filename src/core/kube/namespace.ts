/** A namespace: who is in the mesh, and where nothing new can be written. */

import type { Labels } from "../resources/resource.ts";
import type { KubeObject } from "./kube-object.ts";

export interface KubeNamespace extends KubeObject {
  readonly labels: Labels;
  /** The API server refuses every new object in it. */
  readonly isTerminating: boolean;
}
