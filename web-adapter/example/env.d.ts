/** What the environment may set; by their names with a dot, Next puts the public ones into the page. */
declare namespace NodeJS {
  interface ProcessEnv {
    readonly NEXT_PUBLIC_CREW_URL?: string;
    readonly CREW_URL?: string;
    readonly CREW_REWRITES?: string;
    readonly CREW_EXPORT?: string;
    readonly NEXT_DIST_DIR?: string;
  }
}
