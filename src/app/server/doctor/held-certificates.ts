/** The certificates that all others hang on, and what to do before each ends. */

import type { CertificateFact } from "../../../core/doctor/check-times.ts";
import { parseCertificate } from "../../../core/x509/certificate.ts";
import { watchedRoots } from "../rotation/root-expiry-watch.ts";
import type { Trust } from "../trust.ts";

export function heldCertificates({ bundle, state }: Trust): readonly CertificateFact[] {
  const roots = watchedRoots(bundle.roots).map(({ name, ...life }) => ({
    ...life,
    name: `root ${name}`,
    hint: "rotate it: portcullis root plan",
  }));
  const chains = state.authorities.flatMap(({ id, chain }) =>
    chain.map((der) => {
      const { notBeforeMs, notAfterMs } = parseCertificate(der);
      const name = `a certificate of authority ${id.slice(0, 16)}`;
      return { name, notBeforeMs, notAfterMs, hint: "replace it: portcullis root plan" };
    }),
  );
  return [...roots, ...chains];
}
