-- HAProxy's action lua.verify: asks resource-api about the request, by GET. 200 sets txn.verified and what is known of
-- the caller; a refusal goes to the client as it is. Without an answer nothing is set, and haproxy.cfg refuses.

local url = os.getenv("VERIFY_URL")
-- Milliseconds. HAProxy's client tries four times.
local patience = 1000

-- The headers that the question takes over: the credential, every one of it, and what the answer depends on.
local asked = { "authorization", "origin", "x-request-id" }
-- What the upstream learns; percent-encoded, so that it is a header whatever the user is called.
local told = {
	["x-user-id"] = "txn.user_id",
	["x-user-name"] = "txn.user_name",
	["x-user-roles"] = "txn.user_roles",
	["x-session-id"] = "txn.session_id",
}
-- What belongs to the connection with resource-api.
local of_connection = { ["connection"] = true, ["keep-alive"] = true, ["transfer-encoding"] = true, ["content-length"] = true }

-- A list of values from a header of the request, which counts from 0.
local function values(header)
	local list = {}
	for at = 0, header and #header or -1 do
		list[#list + 1] = header[at]
	end
	return list
end

core.register_action("verify", { "http-req" }, function(txn)
	local theirs = txn.http:req_get_headers()
	local headers = { ["x-forwarded-for"] = { txn.f:src() } }
	for _, name in ipairs(asked) do
		if theirs[name] then headers[name] = values(theirs[name]) end
	end
	local query = txn:get_var("txn.verify_query") or ""
	local answer = core.httpclient():get({ url = url .. query, headers = headers, timeout = patience })

	if answer.status == 200 then
		for name, var in pairs(told) do
			local value = answer.headers[name]
			if value then txn:set_var(var, value[1] or value[0]) end
		end
		txn:set_var("txn.verified", true)
	elseif answer.headers["x-problem-code"] then
		-- Anything else is no refusal of resource-api's, but what HAProxy's own client says for want of an answer.
		local reply = txn:reply({ status = answer.status, body = answer.body })
		for name, list in pairs(answer.headers) do
			if not of_connection[name] then
				for _, value in pairs(list) do reply:add_header(name, value) end
			end
		end
		txn:done(reply)
	end
end)
