/** `portcullis.admin.v1` GetRootStatus: where a rotation stands, what may be done next, and what may not, and why. */

import { X509Certificate } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { PortcullisError } from "../../../core/error.ts";
import { lifeLeftRatio } from "../../../core/issuance/expiry.ts";
import { rootSha256 } from "../../../core/spiffe/roots-digest.ts";
import { authorityEndsAtMs } from "../../../core/trust/authority-end.ts";
import { noRoomForAuthority } from "../../../core/trust/new-authority.ts";
import type { RotationRefusal } from "../../../core/trust/rotation.ts";
import {
  unconfirmedRetired,
  type AuthorityRecord,
  type RetiredAuthority,
} from "../../../core/trust/trust-state.ts";
import { parseCertificate } from "../../../core/x509/certificate.ts";
import { parsePublicKey } from "../../../core/x509/public-key.ts";
import type { ServerConfig } from "../../../edge/config/server-config.ts";
import { RootStatusSchema, type RootStatus } from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import type { ReloadRefusal } from "../reload-refusals.ts";
import {
  evidenceMessage,
  holdersMessage,
  openingOf,
  reloadRefusalMessage,
  waiverMessage,
} from "./root-messages.ts";
import { keyLocation, type KeyPlaces } from "./rotation-key.ts";
import type { Rotation } from "./rotation.ts";
import type { RotationView } from "./rotation-view.ts";
import type { Trust } from "../trust.ts";
import type { Waivers } from "./waivers.ts";

export interface RootStatusDependencies extends KeyPlaces {
  readonly trust: () => Trust;
  readonly rotation: Pick<Rotation, "decide">;
  readonly view: RotationView;
  readonly waivers: Pick<Waivers, "current">;
  /** Why no trust is changed now, whatever a gate says; undefined where it may be. */
  readonly hold: () => PortcullisError | undefined;
  /** What the server does by itself; "" for nothing. */
  readonly automatic: () => string;
  /** Of the operator's CA on disk. */
  readonly refusedFiles: () => readonly ReloadRefusal[];
  readonly config: () => ServerConfig;
  readonly nowMs: () => number;
}

export function rootStatus(dependencies: RootStatusDependencies, namedMax: number): RootStatus {
  const { view, waivers, automatic, refusedFiles, config, nowMs } = dependencies;
  const { state, bundle } = dependencies.trust();
  const now = nowMs();
  const { left, perSecond } = view.reissue();
  return create(RootStatusSchema, {
    now: timestampFromMs(now),
    trustDomain: state.trustDomain.name,
    epoch: BigInt(state.epoch),
    bundleSequence: bundle.sequence,
    authorities: [
      ...state.authorities.map((each) => authorityMessage(each, dependencies, now)),
      ...unconfirmedRetired(state).map(retiredMessage),
    ],
    steps: steps(dependencies),
    verifiers: evidenceMessage(view.verifiers(namedMax)),
    holders: state.authorities.map((each) => holdersMessage(each.id, view.holders(each, namedMax))),
    reissue: { left: BigInt(left), perSecond },
    waivers: waivers.current.map(waiverMessage),
    maxTtlSeconds: BigInt(config().maxTtlSeconds),
    skewMs: BigInt(Math.ceil(view.skewMs())),
    automatic: automatic(),
    reloadRefusals: refusedFiles().map(reloadRefusalMessage),
  });
}

function authorityMessage(authority: AuthorityRecord, places: KeyPlaces, nowMs: number) {
  const { id, state, sinceMs, chain, root } = authority;
  const { spki } = parseCertificate(chain[0] ?? root);
  const { notBeforeMs, notAfterMs } = parseCertificate(root);
  const { type, bits } = parsePublicKey(spki);
  const left = 100 * lifeLeftRatio({ notBeforeMs, notAfterMs }, nowMs);
  return {
    id,
    state,
    since: timestampFromMs(sinceMs),
    keyType: type === "rsa" ? `rsa-${bits}` : type,
    keyLocation: keyLocation(places, authority),
    rootSubject: new X509Certificate(root).subject.replaceAll("\n", ", "),
    rootSha256: rootSha256(root),
    notBefore: timestampFromMs(notBeforeMs),
    notAfter: timestampFromMs(authorityEndsAtMs(authority)),
    lifeLeftPercent: Math.floor(left),
    compromised: false,
  };
}

function retiredMessage({ id, rootSha256, atMs, compromised }: RetiredAuthority) {
  return { id, state: "retired", since: timestampFromMs(atMs), rootSha256, compromised };
}

const commands = ["activate", "rollback", "retire", "abort"] as const;

function steps({ trust, rotation, hold }: RootStatusDependencies) {
  const held = heldBack(hold());
  return [
    stepMessage("prepare", noRoomForAuthority(trust().state) ?? held),
    ...commands.map((kind) => {
      const decision = rotation.decide({ kind }, 1);
      return stepMessage(kind, decision.kind === "refused" ? decision.refusal : held);
    }),
  ];
}

type Refusal = Pick<RotationRefusal, "message" | "hint" | "gate"> & { readonly code: string };

function heldBack(error: PortcullisError | undefined): Refusal | undefined {
  return error && { code: error.code, message: error.message, hint: error.hint ?? "" };
}

function stepMessage(command: string, refusal: Refusal | undefined) {
  if (refusal === undefined) return { command, isAllowed: true };
  const { code, message, hint, gate } = refusal;
  const opensAt = openingOf(gate);
  return {
    command,
    isAllowed: false,
    reason: code,
    detail: message,
    hint,
    ...(opensAt && { opensAt }),
  };
}
