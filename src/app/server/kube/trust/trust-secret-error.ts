/** Why the trust state of the cluster and that of this server are not one, or why this server may not change it. */

import { PortcullisError } from "../../../../core/error.ts";
import type { TrustJudgement } from "../../../../core/kube/trust/trust-judgement.ts";
import { KubeError } from "../../../../edge/kube/kube-error.ts";

export type TrustSecretErrorCode =
  | "trust-secret-edited"
  | "trust-secret-forked"
  | "trust-secret-foreign"
  | "trust-secret-newer"
  | "trust-secret-advanced"
  | "trust-secret-incomplete"
  | "trust-secret-conflict"
  | "trust-secret-immutable"
  | "trust-secret-silent"
  | "trust-lease-lost"
  | "trust-lease-taken";

export class TrustSecretError extends PortcullisError<TrustSecretErrorCode> {
  override name = "TrustSecretError";
}

export interface SecretPlace {
  readonly namespace: string;
  readonly name: string;
}

export type Trouble = Extract<TrustJudgement, "edited" | "forked" | "foreign" | "newer" | "adopt">;

/** @param epochs of here and there, for people. @param manager who wrote the Secret last, as `managedFields` has it */
export function troubleOf(
  trouble: Trouble,
  place: SecretPlace,
  epochs: { readonly local: number | undefined; readonly found: number | undefined },
  { manager = "", cause }: { readonly manager?: string; readonly cause?: unknown } = {},
): TrustSecretError {
  const { code, what, hint } = troubles[trouble];
  const by = manager === "" ? "" : `, written last by ${manager}`;
  const there = epochs.found === undefined ? "unreadable" : `epoch ${epochs.found}`;
  const here = epochs.local === undefined ? "none" : `epoch ${epochs.local}`;
  const message = `Secret ${place.namespace}/${place.name} (${there}${by}) ${what} (here: ${here})`;
  const options = cause === undefined ? {} : { cause };
  return new TrustSecretError(code, message, { ...options, hint: hint(place, here === "none") });
}

/** Of a key that is needed and not there, or not the one that the document names. */
export function incomplete({ namespace, name }: SecretPlace, what: string): TrustSecretError {
  const message = `Secret ${namespace}/${name}: ${what}`;
  return new TrustSecretError("trust-secret-incomplete", message, {
    hint: "restore the Secret or the data directory from a backup; a new root would break every workload",
  });
}

/** Whatever name it has: a directory takes over the trust of its own trust domain. */
export function ofAnotherDomain(
  { namespace, name }: SecretPlace,
  found: string,
  expected: string,
): TrustSecretError {
  const message = `Secret ${namespace}/${name} is of trust domain ${found}, expected ${expected}`;
  return new TrustSecretError("trust-secret-foreign", message, {
    hint: "is it the right --trust-secret, and the right --trust-domain?",
  });
}

/** What a write of the Secret has thrown, with what to do where that is known: an immutable one stays so until it is deleted. */
export function unwritten({ namespace, name }: SecretPlace, error: unknown): unknown {
  const isImmutable =
    error instanceof KubeError && error.code === "kube-invalid" && /immutable/.test(error.message);
  if (!isImmutable) return error;
  return new TrustSecretError("trust-secret-immutable", error.message, {
    cause: error,
    hint: `an immutable Secret cannot be changed; deleted, it is made anew: kubectl -n ${namespace} delete secret ${name}`,
  });
}

interface TroubleText {
  readonly code: TrustSecretErrorCode;
  readonly what: string;
  /** @param isNew whether there is nothing here */
  readonly hint: (place: SecretPlace, isNew: boolean) => string;
}

const takeTheirs = "to take the Secret's: start with an empty --data-dir";
const takeOurs = ({ namespace, name }: SecretPlace): string =>
  `to take this directory's: kubectl -n ${namespace} delete secret ${name}; then start again`;

const troubles: Readonly<Record<Trouble, TroubleText>> = {
  edited: {
    code: "trust-secret-edited",
    what: "is not what a server wrote there",
    hint: (place, isNew) =>
      isNew
        ? "put it back from a backup, or start with the data directory that wrote it; deleted, it is made anew, with a new root"
        : `${takeOurs(place)}; or put the Secret back from a backup`,
  },
  forked: {
    code: "trust-secret-forked",
    what: "and this data directory have both gone on from what they had in common",
    hint: (place) => `${takeTheirs}; ${takeOurs(place)}`,
  },
  foreign: {
    code: "trust-secret-foreign",
    what: "is of another mesh than this data directory",
    hint: (place) => `is it the right --trust-secret? ${takeTheirs}; ${takeOurs(place)}`,
  },
  newer: {
    code: "trust-secret-newer",
    what: "was written by a newer portcullis",
    hint: () => "run that version",
  },
  adopt: {
    code: "trust-secret-advanced",
    what: "was taken further by another server",
    hint: () => "it ends by itself: started again, it takes over what is there",
  },
};
