-- As wrk.lua, but no request is like the one before: a thousand files, each asked for with a
-- hundred kinds of header, of the size that browsers send.
--
-- The sets are the pairs of ten browsers and ten visitors.  Files come in turn and the sets move on
-- by one with each turn, so every file meets every set.  Only one concatenation is left for the
-- time of the request; it costs wrk, not the server.

dofile((debug.getinfo(1, "S").source:sub(2):gsub("[^/]*$", "")) .. "wrk.lua")

local browsers = {
  "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:141.0) Gecko/20100101 Firefox/141.0",
  "Mozilla/5.0 (Android 15; Mobile; rv:141.0) Gecko/141.0 Firefox/141.0",
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 "
    .. "Safari/537.36",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    .. "Chrome/139.0.0.0 Safari/537.36",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    .. "Chrome/139.0.0.0 Safari/537.36 Edg/139.0.0.0",
  "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 "
    .. "Mobile Safari/537.36",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    .. "Version/18.5 Safari/605.1.15",
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    .. "Version/18.5 Mobile/15E148 Safari/604.1",
}
local languages = { "en-US,en;q=0.5", "de,en-US;q=0.7,en;q=0.3", "fr-FR,fr;q=0.9", "ja", "pt-BR" }
local files, heads = 1000, {}
local count = 0

function init()
  local host = string.format("%s:%s", wrk.host, wrk.port)
  for _, browser in ipairs(browsers) do
    for visitor = 1, 10 do
      heads[#heads + 1] = string.format(
        " HTTP/1.1\r\nHost: %s\r\nConnection: keep-alive\r\nUser-Agent: %s\r\n"
          .. "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
          .. "Accept-Language: %s\r\nAccept-Encoding: gzip, deflate\r\n"
          .. "Referer: http://%s/many/\r\nCookie: visitor=%032x; theme=%s\r\n"
          .. "Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\n"
          .. "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\n\r\n",
        host, browser, languages[visitor % #languages + 1], host, visitor * 7919,
        visitor % 2 == 0 and "dark" or "light")
    end
  end
end

function request()
  local file = count % files
  local head = heads[(count + math.floor(count / files)) % #heads + 1]
  count = count + 1
  return "GET /many/" .. file .. ".txt" .. head
end
