/** What stands for a pod or a service, as the configuration keeps it. Its text is made when somebody asks: there may be 10,000. */

import {
  derivedManifest,
  type DerivedObject,
} from "../../../../edge/kube/read/derived-manifest.ts";
import { clusterOrigin, type StoredObject } from "../../policy/resources/stored-object.ts";

export function derivedObject(object: DerivedObject): StoredObject {
  return new StoredDerivedObject(object);
}

/** A class: a literal with a getter would cost 600 bytes for each. */
class StoredDerivedObject implements StoredObject {
  readonly object: DerivedObject;
  readonly digest = "";
  readonly origin: string = clusterOrigin;

  constructor(object: DerivedObject) {
    this.object = object;
  }

  get json(): string {
    return JSON.stringify(derivedManifest(this.object));
  }
}
