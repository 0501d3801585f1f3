/** A service account as an object, by its UID: one that is made again under the same name is another one. */

import type { DeletableObject } from "./kube-object.ts";

export type KubeServiceAccount = DeletableObject;
