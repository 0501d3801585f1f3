/** A manifest that an operator sends or the store has: whole and right, or an error. */

import type { LoadedObject, Manifest } from "../../../../edge/resources/manifest.ts";
import { parseManifest } from "../../../../edge/resources/parse-manifests.ts";
import type { ManifestAtRest } from "../../../../edge/store/resources.ts";
import { StoreError } from "../../../../edge/store/store.ts";
import { ResourceChangeError } from "./resource-change-error.ts";
import { storedObject, type StoredObject } from "./stored-object.ts";

const originLengthMax = 1_024;

/** @throws ResourceChangeError `resource-invalid` */
export function readManifest(json: string, origin: string): LoadedObject {
  const { objects, problems } = parseManifest(json, origin.slice(0, originLengthMax));
  const [object] = objects;
  if (object !== undefined) return object;
  const errors = problems.filter(({ severity }) => severity === "error");
  const [first] = errors;
  const place = [first?.origin, first?.path].filter((part) => part !== undefined && part !== "");
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  const text = first?.text ?? "expected an object of the mesh's configuration, got another";
  throw new ResourceChangeError("resource-invalid", `${[...place, text].join(": ")}${more}`);
}

/** One that was read already, and has changed a little. @throws ResourceChangeError `resource-invalid` */
export function readAgain(manifest: Manifest): LoadedObject {
  return readManifest(JSON.stringify(manifest), "");
}

/** @throws StoreError `store-unreadable` */
export function readStored({ json, origin }: ManifestAtRest): StoredObject {
  try {
    return { ...storedObject(readManifest(json, origin)), origin };
  } catch (cause) {
    const message = "the store has an object of the configuration that cannot be read";
    throw new StoreError("store-unreadable", message, {
      cause,
      hint: "run the portcullis that wrote it, or restore the directory from a backup",
    });
  }
}
