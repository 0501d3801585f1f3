/** A good certificate taken apart and written again with a fault in it, by an encoder not ours. */

import { parseCertificate, type Certificate } from "../../src/core/x509/certificate.ts";
import { extension, extensions, makeCertificate, type CertificateParts } from "./certificate.ts";
import { bitString, sequence, text, tlv } from "./der.ts";

export interface Reissued {
  readonly der: Uint8Array;
  readonly tbs: Uint8Array;
}

export function reissue(
  good: Certificate,
  changes: CertificateParts,
  sign: (tbs: Uint8Array) => Uint8Array,
): Reissued {
  const parts: CertificateParts = {
    serial: tlv(0x02, good.serial),
    innerAlgorithm: good.signatureAlgorithmDer,
    outerAlgorithm: good.signatureAlgorithmDer,
    issuer: good.issuerDer,
    validity: validity(good.notBeforeMs, good.notAfterMs),
    subject: good.subjectDer,
    spki: good.spki,
    extensions: extensions(...good.extensions.map(encodeExtension)),
    ...changes,
  };
  const { tbs } = parseCertificate(makeCertificate(parts));
  const der = makeCertificate({ ...parts, signature: bitString(sign(tbs)) });
  return { der, tbs };
}

/** @param value undefined takes the extension away */
export function withExtension(
  good: Certificate,
  oid: string,
  value: Uint8Array | undefined,
  critical: boolean,
): CertificateParts {
  const kept = good.extensions.filter((each) => each.oid !== oid).map(encodeExtension);
  const added = value === undefined ? [] : [extension(oid, value, critical)];
  return { extensions: extensions(...kept, ...added) };
}

export function validity(notBeforeMs: number, notAfterMs: number): Uint8Array {
  return sequence(utcTime(notBeforeMs), utcTime(notAfterMs));
}

function encodeExtension({ oid, critical, value }: Certificate["extensions"][number]): Uint8Array {
  return extension(oid, value, critical);
}

function utcTime(timeMs: number): Uint8Array {
  const [date = "", time = ""] = new Date(timeMs).toISOString().split("T");
  const digits = date.slice(2).replaceAll("-", "") + time.slice(0, 8).replaceAll(":", "");
  return date < "2050" ? text(0x17, `${digits}Z`) : text(0x18, `${date.slice(0, 2)}${digits}Z`);
}
