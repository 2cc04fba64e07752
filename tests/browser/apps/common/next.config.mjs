export default {
  rewrites: async () => [{ source: "/crew/:path*", destination: `${process.env.NEXT_PUBLIC_CREW_URL}/:path*` }],
};
