/** Why a change of the configuration was refused: then nothing of it was made. */

import { PortcullisError } from "../../../../core/error.ts";

export type ResourceChangeCode =
  | "resource-invalid"
  | "resource-twice"
  | "resource-unknown"
  | "resource-in-directory"
  | "resource-in-cluster"
  | "resources-full";

export class ResourceChangeError extends PortcullisError<ResourceChangeCode> {
  override name = "ResourceChangeError";
}
