/** A service account as an object, by its UID: one that is made again under the same name is another one. */

import type { DeletableObject } from "./kube-object.ts";

export interface KubeServiceAccount extends DeletableObject {
  /** Whole seconds; undefined: nobody has said. */
  readonly createdMs?: number | undefined;
}
