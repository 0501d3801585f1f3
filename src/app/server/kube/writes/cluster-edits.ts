/**
 * The object of a flip where it stands in the cluster: changed at the API server as the version that was judged, and waited for until the
 * watch has brought it into the configuration, so that whoever has it changed sees that it is.
 */

import type { JsonObject } from "../../../../core/identity/json-object.ts";
import { refKey } from "../../../../core/resources/policy-object.ts";
import type { ResourceRef } from "../../../../core/resources/resource.ts";
import type { KubeConnection } from "../../../../edge/kube/kube-connection.ts";
import {
  editPolicyObject,
  isSameManifest,
  type PolicyEdit,
} from "../../../../edge/kube/write/policy-object.ts";
import type { ResourceSet } from "../../policy/resources/resource-set.ts";

export interface ClusterEditsOptions {
  readonly connection: KubeConnection;
  readonly set: Pick<ResourceSet, "find" | "onChange">;
  /** @throws where another server has come to be the mesh's: what is to be edited is for that one to do */
  readonly assertMayEdit?: () => void;
  /** Aborted when shutdown begins. */
  readonly signal: AbortSignal;
}

interface AnnouncedEdit {
  readonly key: string;
  readonly after: JsonObject | undefined;
}

/** What the watch has told is recorded at most so often; a busy disk takes longer. */
const seenMs = 10_000;

export class ClusterEdits {
  readonly #options: ClusterEditsOptions;
  readonly #writing = new Set<AnnouncedEdit>();

  constructor(options: ClusterEditsOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the configuration has it, or after 10 s without that: it is made all the same.
   * @throws KubeError `kube-conflict` where the object is not what the edit was planned from; the reason of the signal; TrustSecretError
   */
  async edit(ref: ResourceRef, edit: PolicyEdit): Promise<void> {
    const { connection, assertMayEdit, signal } = this.#options;
    assertMayEdit?.();
    const announced = { key: refKey(ref), after: edit.after };
    this.#writing.add(announced);
    try {
      await editPolicyObject(connection, ref, edit, { signal });
    } finally {
      this.#writing.delete(announced);
    }
    await this.#untilSeen(ref, edit.after);
  }

  /** Whether an edit is making just this. @param after in the canonical form; undefined: no object */
  isWriting(ref: ResourceRef, after: JsonObject | undefined): boolean {
    const key = refKey(ref);
    return [...this.#writing].some((each) => each.key === key && isSame(each.after, after));
  }

  async #untilSeen(ref: ResourceRef, after: JsonObject | undefined): Promise<void> {
    const { set, signal } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      const found = set.find(refKey(ref));
      const now: JsonObject | undefined = found && JSON.parse(found.json);
      if (isSame(now, after)) resolve();
    };
    using stack = new DisposableStack();
    stack.use(set.onChange(look));
    const timer = setTimeout(resolve, seenMs).unref();
    stack.defer(() => clearTimeout(timer));
    const onAbort = (): void => resolve();
    signal.addEventListener("abort", onAbort);
    stack.defer(() => signal.removeEventListener("abort", onAbort));
    look();
    await promise;
  }
}

function isSame(a: JsonObject | undefined, b: JsonObject | undefined): boolean {
  return a === undefined || b === undefined ? a === b : isSameManifest(a, b);
}
