/** Writes the objects of flips as an operator's change, in whose name they are in the log. What somebody else wrote meanwhile stays. */

import { contentOf, manifestOf } from "../../../core/flip/edited-policy.ts";
import type { Flip } from "../../../core/flip/flip.ts";
import { isStanding, objectSays, type ObjectSays } from "../../../core/flip/object-says.ts";
import { planRevert, type RevertEdit } from "../../../core/flip/revert-edit.ts";
import type { JsonObject } from "../../../core/identity/json-object.ts";
import { refWords, type ResourceRef } from "../../../core/resources/resource.ts";
import type { ClusterEdits } from "../kube/writes/cluster-edits.ts";
import { readManifest } from "../policy/resources/read-manifest.ts";
import type { WantedChange } from "../policy/resources/plan-change.ts";
import { clusterOrigin } from "../policy/resources/stored-object.ts";
import type { Resources } from "../policy/resources/resources.ts";
import type { FlipConfiguration } from "./flip-configuration.ts";
import { FlipRefusedError, inDirectory } from "./flip-refusals.ts";

export interface FlipEditsDependencies {
  readonly resources: Pick<Resources, "change">;
  readonly configuration: FlipConfiguration;
  /** Where objects of the server's cluster are written; undefined where it is in none. */
  readonly cluster?: Pick<ClusterEdits, "edit"> | undefined;
}

export class FlipEdits {
  readonly #dependencies: FlipEditsDependencies;

  constructor(dependencies: FlipEditsDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * The object says that the target is strict.
   * @throws FlipRefusedError `object-changed` where it is not what the flip has seen; ResourceChangeError, LogError, and what SQLite throws
   */
  async toStrict({ edit, operator }: Flip): Promise<void> {
    const { ref, beforeJson, afterJson } = edit;
    const wanted = beforeJson === undefined ? undefined : manifestOf(beforeJson);
    await this.replace(operator, ref, wanted, manifestOf(afterJson));
  }

  /** Nothing of the target is strict by the object. @param operator "" for the server itself @throws as `toStrict` */
  async back(flip: Flip, operator: string): Promise<void> {
    const { ref } = flip.edit;
    const cluster = this.#clusterOf(ref);
    if (cluster === undefined) {
      await this.#write(operator, ref, () => wantedOf(this.plannedBack(flip)));
      return;
    }
    const planned = this.plannedBack(flip);
    if (planned.kind === "nothing") return;
    const before = this.#dependencies.configuration.manifestOf(ref);
    const after = planned.kind === "put" ? planned.after.manifest : undefined;
    await cluster.edit(ref, { before, after });
  }

  /** What it would write, now. */
  plannedBack(flip: Flip): RevertEdit {
    const { configuration } = this.#dependencies;
    const view = configuration.viewOf(flip.target.namespace);
    return planRevert(flip, { view, manifest: configuration.manifestOf(flip.edit.ref) });
  }

  /** Of the target, now. */
  objectSays(flip: Flip): ObjectSays {
    return objectSays(flip, this.#dependencies.configuration.viewOf(flip.target.namespace));
  }

  /** What it wrote says STRICT, now, whoever stands over it. */
  isStanding(flip: Flip): boolean {
    return isStanding(flip, this.#dependencies.configuration.viewOf(flip.target.namespace));
  }

  /** @param before what the change was planned from. @throws as `toStrict` */
  async replace(
    operator: string,
    ref: ResourceRef,
    before: JsonObject | undefined,
    after: JsonObject,
  ): Promise<void> {
    const cluster = this.#clusterOf(ref);
    if (cluster !== undefined) {
      await cluster.edit(ref, { before, after });
      return;
    }
    await this.#write(operator, ref, () => {
      if (!sameContent(this.#dependencies.configuration.manifestOf(ref), before)) {
        throw objectChanged(ref);
      }
      return put(after);
    });
  }

  /** @throws FlipRefusedError `flip-object-in-directory` */
  assertWritable(ref: ResourceRef, next: string): void {
    const origin = this.#dependencies.configuration.find(ref)?.origin ?? "";
    if (origin !== "" && this.#clusterOf(ref) === undefined) throw inDirectory(ref, origin, next);
  }

  /** What nobody has written yet is made where the others are. */
  #clusterOf(ref: ResourceRef): FlipEditsDependencies["cluster"] {
    const { configuration, cluster } = this.#dependencies;
    const origin = configuration.find(ref)?.origin ?? clusterOrigin;
    return origin === clusterOrigin ? cluster : undefined;
  }

  async #write(operator: string, ref: ResourceRef, wanted: () => WantedChange): Promise<void> {
    await this.#dependencies.resources.change(
      () => {
        this.assertWritable(ref, "change it there");
        return wanted();
      },
      { operator, isDryRun: false },
    );
  }
}

function wantedOf(edit: RevertEdit): WantedChange {
  if (edit.kind === "delete") return { apply: [], remove: [edit.ref] };
  return edit.kind === "put" ? put(edit.after.manifest) : { apply: [], remove: [] };
}

function put(manifest: JsonObject): WantedChange {
  return { apply: [readManifest(JSON.stringify(manifest), "")], remove: [] };
}

function sameContent(a: JsonObject | undefined, b: JsonObject | undefined): boolean {
  return a === undefined || b === undefined ? a === b : contentOf(a) === contentOf(b);
}

function objectChanged(ref: ResourceRef): FlipRefusedError {
  const message = `expected ${refWords(ref)} as it was judged, got another: somebody else has changed it`;
  return new FlipRefusedError("object-changed", message, {
    hint: "look again, and order it again",
  });
}
