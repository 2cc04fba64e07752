"""The gateway's face: aiohttp routes over the supervisor. aiohttp is used here and in `client`."""
