//! Chinese, in simplified characters.

use super::{LinkWords, MistakeWords, ScopeWords, Text, Words};

pub(super) static WORDS: Words = Words {
    lang: "zh-Hans",

    email: "邮箱地址",
    user_name: "您的名字",
    password: "密码",
    new_password: "新密码",
    password_hint: "至少 8 个字符。用几个少见的词就很好。",
    show: ["显示", "密码"],
    token: "链接中的代码",
    token_hint: "邮件链接中“#token=”之后的部分。",

    sign_in: "登录",
    to_go_on: ["登录后将继续前往 ", ""],
    keep: "在此设备上保持登录",
    forgot_link: "忘记密码？",
    register_link: "创建账户",

    register: "创建账户",
    register_button: "创建账户",
    has_account: "已有账户？登录",

    forgot: "忘记密码？",
    forgot_lead: "请输入您账户的邮箱地址。我们会向该地址发送邮件，您可以通过其中的链接设置新密码。",
    forgot_button: "发送邮件",
    back_to_sign_in: "返回登录",
    go_on_to_sign_in: "前往登录",

    consent: "允许此应用为您登录吗？",
    wants: ["", " 请求以您的账户登录"],
    will_be_able: "允许后，它可以",
    allow: "允许",
    deny: "拒绝",
    scopes: ScopeWords {
        openid: "确认您的身份",
        profile: "查看您的名字",
        email: "查看您的邮箱地址",
        roles: "查看您的角色",
        offline_access: "在您离开时代您操作，即使您已在此浏览器中退出登录",
        account: "管理您的账户",
    },
    other_scope: ["使用 ", ""],
    to_site: ["之后您将前往 ", "。"],
    to_device: "之后您将返回此设备上的应用。",
    to_app: ["之后您将返回此设备上的应用 ", "。"],
    signed_in_as: "当前登录账户",
    another: "不是您？使用其他账户",

    continue_title: "是否继续？",
    continue_as: ["以 ", " 的身份继续前往 ", "？"],
    continue_lead: "只有在您刚刚亲自打开了该应用时，才应继续。",
    continue_button: "继续",
    cancel: "取消",

    signed_in: "您已登录",
    go_on: "继续",
    one_moment: "请稍候",
    press_go_on: "如果页面没有反应，请点按按钮。",

    sign_out: "要在此浏览器中退出所有登录吗？",
    sign_out_of: "您将退出",
    sign_out_button: "退出登录",
    stay: "保持登录",

    for_developers: "供该应用的管理员参考：",
    request_id: "请求编号",

    not_done: "未能完成",
    reset_mail_sent: Text {
        title: "请查看您的邮箱",
        text: "如果此地址有对应的账户，我们会向它发送邮件，其中的链接可用于设置新密码。邮件可能需要几分钟才能送达，也可能在垃圾邮件中。",
    },
    registration_mail_sent: Text {
        title: "请查看您的邮箱",
        text: "我们已向您填写的地址发送邮件。请按邮件中的说明操作，然后登录。邮件可能需要几分钟才能送达，也可能在垃圾邮件中。",
    },
    signed_out: Text {
        title: "您已退出登录",
        text: "此浏览器中已没有任何账户登录。",
    },
    reset: LinkWords {
        title: "设置新密码",
        lead: "此账户在所有设备上的登录都将退出。",
        button: "设置密码",
        done: Text {
            title: "密码已设置",
            text: "所有设备均已退出登录。请用新密码登录。",
        },
    },
    verify: LinkWords {
        title: "确认您的邮箱地址",
        lead: "请确认：是您用收到邮件的地址注册的，或是您要将它用于自己的账户。",
        button: "确认",
        done: Text {
            title: "地址已确认",
            text: "谢谢。您可以关闭此页面。",
        },
    },
    invitation: LinkWords {
        title: "创建您的账户",
        lead: "您收到了邀请。请选择名字和密码。",
        button: "创建账户",
        done: Text {
            title: "账户已创建",
            text: "请用收到邮件的地址和您的密码登录。",
        },
    },
    mistakes: MistakeWords {
        unknown_client: Text {
            title: "此应用未在此处登记",
            text: "将您带到此处的应用需要先登记。请告知该应用的管理员。您的账户没有任何变化。",
        },
        blocked_client: Text {
            title: "此应用已被停用",
            text: "将您带到此处的应用目前不能为任何人登录。请联系本服务的管理员。",
        },
        redirect_uri: Text {
            title: "此地址未在此处登记",
            text: "将您带到此处的应用要求前往一个未登记的地址。为安全起见，我们没有将您转到那里。请告知该应用的管理员。",
        },
        malformed: Text {
            title: "此请求不完整",
            text: "请返回原来的应用重试。如果仍然不行，请告知该应用的管理员。",
        },
        stale_form: Text {
            title: "页面打开的时间过长",
            text: "请返回原来的应用重试。如果仍然不行，请允许浏览器为本站保存 Cookie。",
        },
        unavailable: Text {
            title: "暂时无法使用",
            text: "请稍候片刻，然后重新加载页面。",
        },
        other: Text {
            title: "出了点问题",
            text: "请稍后再试。如果仍然不行，请联系本服务的管理员。",
        },
    },
};
