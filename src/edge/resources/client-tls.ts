/** DestinationRule's `tls`. What says something of verification and is not carried is an error: without it, less would be verified. */

import type { ClientTls, ClientTlsMode } from "../../core/resources/client-tls.ts";
import type { Place } from "./place.ts";
import { fields, flag, list, oneOf, optional, textLike, type Reader } from "./reader.ts";

const word = textLike("a text that is not empty", /^.+$/, 4_096);
const maybe = optional(word, undefined);

const tls = fields({
  mode: optional(oneOf<ClientTlsMode>(["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"]), undefined),
  sni: maybe,
  subjectAltNames: optional(list(word, 256), []),
  caCertificates: maybe,
  clientCertificate: maybe,
  privateKey: maybe,
  insecureSkipVerify: optional(flag, false),
  credentialName: maybe,
  caCrl: maybe,
});

type WrittenTls = ReturnType<typeof tls>;

export const clientTls: Reader<ClientTls> = (value, place) => {
  const written = tls(value, place);
  const { mode, credentialName, caCrl, ...rest } = written;
  if (mode === undefined) {
    place.warn("tls-without-mode", "tls without a mode means DISABLE", "write mode: DISABLE");
  }
  if (credentialName !== undefined) {
    place
      .child("credentialName")
      .refuse(
        "expected files, got the name of a Kubernetes Secret",
        "mount it, and name clientCertificate, privateKey and caCertificates",
      );
  }
  if (caCrl !== undefined) {
    place.child("caCrl").refuse("expected no CRL: clients here read none", "leave it out");
  }
  checkFiles(written, place);
  return { mode: mode ?? "DISABLE", ...rest };
};

/** Istio's rules of what goes with which mode. */
function checkFiles(written: WrittenTls, place: Place): void {
  if (written.mode === "ISTIO_MUTUAL") refuseFiles(written, place);
  if (written.mode !== "SIMPLE" && written.mode !== "MUTUAL") return;
  checkShown(written, place);
  const { insecureSkipVerify, caCertificates, subjectAltNames } = written;
  if (!insecureSkipVerify || (caCertificates === undefined && subjectAltNames.length === 0)) return;
  place
    .child("insecureSkipVerify")
    .refuse(
      "expected false beside caCertificates or subjectAltNames, got true",
      "one of the two is not meant",
    );
}

function refuseFiles(written: WrittenTls, place: Place): void {
  for (const name of ["caCertificates", "clientCertificate", "privateKey"] as const) {
    if (written[name] === undefined) continue;
    place.child(name).refuse("expected nothing: ISTIO_MUTUAL uses the mesh's certificates");
  }
  if (!written.insecureSkipVerify) return;
  const hint = "leave it out: who answers is always verified in the mesh";
  place.child("insecureSkipVerify").refuse("expected false with ISTIO_MUTUAL, got true", hint);
}

function checkShown(written: WrittenTls, place: Place): void {
  for (const name of ["clientCertificate", "privateKey"] as const) {
    const isGiven = written[name] !== undefined;
    if (written.mode === "SIMPLE" && isGiven) {
      const text = "with SIMPLE no certificate is shown";
      place.child(name).warn("field-without-effect", text, "write mode: MUTUAL, or leave it out");
    }
    if (written.mode === "MUTUAL" && !isGiven && written.credentialName === undefined) {
      place.child(name).refuse("expected a file with MUTUAL, got nothing", "", "missing-field");
    }
  }
}
