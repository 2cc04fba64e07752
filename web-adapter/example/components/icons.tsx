import type { ReactNode } from "react";

const Icon = ({ children }: { children: ReactNode }) => (
  <svg
    viewBox="0 0 16 16"
    width="16"
    height="16"
    fill="none"
    stroke="currentColor"
    strokeWidth="1.75"
    strokeLinecap="round"
    strokeLinejoin="round"
    aria-hidden
  >
    {children}
  </svg>
);

export const ArrowUp = () => (
  <Icon>
    <path d="M8 13V3M3.5 7.5 8 3l4.5 4.5" />
  </Icon>
);
export const ArrowDown = () => (
  <Icon>
    <path d="M8 3v10M3.5 8.5 8 13l4.5-4.5" />
  </Icon>
);
export const Square = () => (
  <Icon>
    <rect x="4" y="4" width="8" height="8" rx="1.5" fill="currentColor" stroke="none" />
  </Icon>
);
export const PauseBars = () => (
  <Icon>
    <path d="M5.75 4v8M10.25 4v8" strokeWidth="2.25" />
  </Icon>
);
export const Play = () => (
  <Icon>
    <path d="M5.5 3.75v8.5L12.25 8z" fill="currentColor" />
  </Icon>
);
export const Check = () => (
  <Icon>
    <path d="m3.5 8.5 3 3 6-7" />
  </Icon>
);
export const Cross = () => (
  <Icon>
    <path d="m4.5 4.5 7 7m0-7-7 7" />
  </Icon>
);
export const Chevron = () => (
  <Icon>
    <path d="m6 4 4 4-4 4" />
  </Icon>
);
export const Menu = () => (
  <Icon>
    <path d="M2.5 4.5h11M2.5 8h11M2.5 11.5h11" />
  </Icon>
);
export const Pencil = () => (
  <Icon>
    <path d="m3 13 .7-3L10.5 3.2l2.3 2.3L6 12.3z" />
  </Icon>
);
export const Bin = () => (
  <Icon>
    <path d="M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5" />
  </Icon>
);
export const Bell = () => (
  <Icon>
    <path d="M3.5 11.5h9c-.9-.9-1.2-2-1.2-4.2a3.3 3.3 0 0 0-6.6 0c0 2.2-.3 3.3-1.2 4.2zM6.8 13.7h2.4" />
  </Icon>
);
export const Question = () => (
  <Icon>
    <path d="M6 6a2 2 0 1 1 2.7 1.9c-.5.2-.7.6-.7 1.1v.3M8 11.7v.01" />
  </Icon>
);
export const Copy = () => (
  <Icon>
    <rect x="5.5" y="5.5" width="8" height="8" rx="1.5" />
    <path d="M10.5 5.5V4A1.5 1.5 0 0 0 9 2.5H4A1.5 1.5 0 0 0 2.5 4v5A1.5 1.5 0 0 0 4 10.5h1.5" />
  </Icon>
);
export const Download = () => (
  <Icon>
    <path d="M8 2.5v7.5M4.75 7 8 10.25 11.25 7M3 13.25h10" />
  </Icon>
);
export const Again = () => (
  <Icon>
    <path d="M13 8a5 5 0 1 1-1.5-3.55L13 6M13 2.75V6H9.75" />
  </Icon>
);
export const Package = () => (
  <Icon>
    <path d="M4 2.5h5.5L12.5 5.5v8H4zM9.5 2.5v3h3M6.5 9.25 8 10.75l1.75-2.5" />
  </Icon>
);
export const Bars = () => (
  <Icon>
    <path d="M2.5 4h6M5.5 8h7M8.5 12h5" />
  </Icon>
);
export const Search = () => (
  <Icon>
    <circle cx="7" cy="7" r="4.25" />
    <path d="m10.25 10.25 3.25 3.25" />
  </Icon>
);
export const Plus = () => (
  <Icon>
    <path d="M8 3v10M3 8h10" />
  </Icon>
);
